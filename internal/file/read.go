package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// This file opens files for reading. What is not a regular file is refused at once: a pipe would wait for a writer, a
// device may never end.

// Open opens the regular file at path for reading and returns its size. It never waits.
func Open(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, 0, shown(err)
	}
	return regular(f, path)
}

// OpenIn is Open for a file below root: no name and no symbolic link leads out of it.
func OpenIn(root *os.Root, name string) (*os.File, int64, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, 0, shown(err)
	}
	return regular(f, name)
}

// regular returns the size of an open file, or closes it and says why it is not read.
func regular(f *os.File, path string) (*os.File, int64, error) {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("%s is not a regular file", kind(info.Mode()))}
	}
	if err != nil {
		f.Close()
		return nil, 0, shown(err)
	}
	return f, info.Size(), nil
}

// Read reads the regular file at path, which may have at most limit bytes.
func Read(path string, limit int64) ([]byte, error) {
	f, size, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > limit {
		return nil, fmt.Errorf("%s has %d bytes; at most %d are read", Name(path), size, limit)
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s has grown beyond the %d bytes that are read", Name(path), limit)
	}
	return text, shown(err)
}

// kind says what a file is that is not regular.
func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "this"
}

// Name returns a name from a file or a directory as messages show it: unchanged, or quoted if it has characters that a
// terminal would act on or not show.
func Name(name string) string {
	if name == "" || hidden(name) {
		return strconv.Quote(name)
	}
	return name
}

// hidden reports whether a name has characters that are not printed as they are.
func hidden(name string) bool {
	for _, r := range name {
		if !strconv.IsPrint(r) || r == '\ufffd' {
			return true
		}
	}
	return false
}

// shown returns an error of the system with its paths as Name shows them. That of a temporary file becomes that of the file which it is to replace.
func shown(err error) error {
	var one *fs.PathError
	var two *os.LinkError
	switch {
	case errors.As(err, &one):
		return &fs.PathError{Op: one.Op, Path: Name(replaced(one.Path)), Err: one.Err}
	case errors.As(err, &two):
		return &os.LinkError{Op: two.Op, Old: Name(replaced(two.Old)), New: Name(two.New), Err: two.Err}
	}
	return err
}

// replaced returns the path of the file that a temporary one is to replace, and other paths as they are.
func replaced(path string) string {
	if name, _, ok := parseTemporary(filepath.Base(path)); ok {
		return filepath.Join(filepath.Dir(path), name)
	}
	return path
}
