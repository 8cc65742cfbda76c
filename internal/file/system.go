package file

import (
	"errors"
	"io"
	"os"
	"runtime"
	"syscall"
)

// This file holds the calls that change a disk, as an interface, so that a test can let each of them fail.

// System is a file system, as far as this package writes to it.
type System interface {
	Create(path string) (File, error) // a new file; that it exists is an error
	Append(path string) (File, error) // at the end of a file, which is made if there is none
	Rename(from, to string) error     // replaces to
	Link(from, to string) error       // another name of a file; that it exists is an error
	Remove(path string) error
	SyncDir(path string) error // makes the names in a directory durable
}

// File is a file that is open for writing.
type File interface {
	io.WriteCloser
	Sync() error
}

// Disk is the system's own.
var Disk System = disk{}

type disk struct{}

func (disk) Create(path string) (File, error) { return open(path, os.O_CREATE|os.O_EXCL) }
func (disk) Append(path string) (File, error) { return open(path, os.O_CREATE|os.O_APPEND) }
func (disk) Rename(from, to string) error     { return os.Rename(from, to) }
func (disk) Link(from, to string) error       { return os.Link(from, to) }
func (disk) Remove(path string) error         { return os.Remove(path) }

func open(path string, flags int) (File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|noWait|flags, 0o666)
	if err != nil {
		return nil, err // and not a File that holds a nil pointer
	}
	return f, nil
}

// SyncDir syncs a directory. Windows does so by itself and cannot be asked to; nor can some network file systems.
func (disk) SyncDir(path string) error {
	if runtime.GOOS == "windows" || runtime.GOOS == "js" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
