package file_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/internal/file"
)

// TestName quotes what a terminal would act on or not show, and nothing else.
func TestName(t *testing.T) {
	for name, want := range map[string]string{
		"run": "run", "a b/ü.csv": "a b/ü.csv", `it's "x"`: `it's "x"`, `C:\runs`: `C:\runs`,
		"": `""`, "a\x1b[31m": `"a\x1b[31m"`, "a\nb": `"a\nb"`, "\u202egnp": `"\u202egnp"`, "\xff": `"\xff"`, "\x7f": `"\x7f"`, "\u009b2J": `"\u009b2J"`,
	} {
		if got := file.Name(name); got != want {
			t.Errorf("%q is shown as %s, want %s", name, got, want)
		}
	}
}

// TestRead refuses what is no regular file or too large, at once and with the name in a form that can be shown.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := file.Read(path, 4); string(text) != "text" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sparse"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "sparse"), 1<<30); err != nil {
		t.Fatal(err)
	}
	for _, c := range append([]struct{ path, want string }{
		{path, "has 4 bytes; at most 3"},
		{filepath.Join(dir, "sparse"), "has 1073741824 bytes; at most 3"},
		{dir, "directory"},
		{filepath.Join(dir, "a\x1b]0;b"), `a\x1b]0;b": no such file`},
	}, special(t, dir)...) {
		_, err := file.Read(c.path, 3)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: the error is %v, want %q", c.path, err, c.want)
		}
	}
	if _, _, err := file.Open(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// TestWriteErrors shows the names of files in errors in a form that can be shown.
func TestWriteErrors(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "a\x1b[31m", "file")
	for what, err := range map[string]error{
		"replace": file.Replace(file.Disk, missing, contents(nil)),
		"append":  file.Append(file.Disk, missing, nil),
		"sweep":   file.Sweep(file.Disk, missing),
	} {
		if err == nil || strings.Contains(err.Error(), "\x1b") || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q", what, err)
		}
	}
}
