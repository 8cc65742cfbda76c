package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestAVX2Registers asserts that no AVX2 function got a register that only AVX-512 has: the assembler would quietly encode it
// for AVX-512, and the function would crash where it is meant to run.
func TestAVX2Registers(t *testing.T) {
	beyond := regexp.MustCompile(`(?m)^.*\b([XY](1[6-9]|2[0-9]|3[01])|Z[0-9]+|K[0-7])\b.*$`)
	paths, err := filepath.Glob("../../*/*avx2*.s")
	if err != nil || len(paths) == 0 {
		t.Fatal("no AVX2 files", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if line := beyond.Find(text); line != nil {
			t.Errorf("%s: %s", path, line)
		}
	}
}
