// Package output lets the tests of the examples read what a program prints when its main function runs.
package output

import (
	"os"
	"path/filepath"
	"testing"
)

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
