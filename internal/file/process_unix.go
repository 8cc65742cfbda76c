//go:build unix

package file

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// exists reports whether there is a process of that number.
func exists(process int) bool {
	err := syscall.Kill(process, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// startOf returns when a process began, if the system tells: /proc counts in hundredths of a second since the machine was
// started (proc_pid_stat(5), field 22), and /proc/stat has when that was.
func startOf(process int) (time.Time, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", process))
	if err != nil {
		return time.Time{}, false
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // from field 3 on, after the name, which may have spaces
	machine, err := os.ReadFile("/proc/stat")
	_, boot, found := bytes.Cut(machine, []byte("\nbtime "))
	boot, _, _ = bytes.Cut(boot, []byte("\n"))
	if err != nil || !found || len(fields) < 20 {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(string(boot), 10, 64)
	ticks, wrong := strconv.ParseInt(string(fields[19]), 10, 64)
	if err != nil || wrong != nil {
		return time.Time{}, false
	}
	return time.Unix(seconds, 0).Add(time.Duration(ticks) * 10 * time.Millisecond), true
}

// removeHeld removes a locked file before it releases the lock, so that no one can take the lock of a file that is then
// removed.
func removeHeld(path string, f *os.File) error {
	return errors.Join(os.Remove(path), f.Close())
}
