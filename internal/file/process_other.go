//go:build !unix

package file

import (
	"os"
	"time"
)

// exists reports whether there is a process of that number.
func exists(process int) bool {
	_, err := os.FindProcess(process)
	return err == nil
}

// startOf returns when a process began, if the system tells.
func startOf(int) (time.Time, bool) { return time.Time{}, false }

// removeHeld releases the lock before it removes the file, since an open file cannot be removed. If another process has
// taken the lock by then, its file stays for the same reason.
func removeHeld(path string, f *os.File) error {
	err := f.Close()
	os.Remove(path)
	return err
}
