package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestCommittedFiles asserts that the committed kernels are exactly what this generator writes.
func TestCommittedFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cpu") // others are written beside it
	names, err := generate(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, want) {
			t.Errorf("%s differs from what the generator writes: run go generate in internal/cpu", name)
		}
	}
	// A committed assembly file that no generator writes would never be checked.
	committed, err := filepath.Glob("../*.s")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range committed {
		if filepath.Base(path) == "blas_darwin_arm64.s" { // calls of C functions, written by hand
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, filepath.Base(path))); err != nil {
			t.Errorf("%s is not written by the generator: delete it", filepath.Base(path))
		}
	}
}
