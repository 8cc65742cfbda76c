//go:build unix

package file_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-49005b45/tarn/internal/file"
)

// special makes files that are not regular, and returns what reading them says.
func special(t *testing.T, dir string) []struct{ path, want string } {
	t.Helper()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	return []struct{ path, want string }{{pipe, "a pipe is not a regular file"}, {"/dev/zero", "a device is not a regular file"}}
}

// TestPipe writes to a pipe that nobody reads, which is an error at once.
func TestPipe(t *testing.T) {
	dir := t.TempDir()
	pipe := special(t, dir)[0].path
	if err := file.Replace(file.Disk, pipe, contents([]byte("text"))); err == nil || !strings.Contains(err.Error(), pipe) {
		t.Errorf("the error is %v", err)
	}
}
