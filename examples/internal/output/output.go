// Package output lets the tests of the examples read what a program prints when its main function runs, and see that it is short.
package output

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// Short fails the test if main.go is too long to be read at a glance: it should have less than 80 lines.
func Short(t *testing.T) {
	t.Helper()
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(source, []byte("\n")); n >= 80 {
		t.Errorf("main.go has %d lines, want under 80", n)
	}
}

// Of returns what main prints to the standard output.
func Of(t *testing.T, main func()) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "output")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func(before *os.File) { os.Stdout = before }(os.Stdout)
	os.Stdout = file
	main()
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
