// Package file replaces files so that a crash at any moment leaves the old contents or the new ones.
package file

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// bufferSize is the size of the pieces in which contents reach the disk.
const bufferSize = 1 << 16

// Replace writes the file at path, which need not exist: contents goes to a temporary file in the same directory, which is
// synced and then renamed, and the directory is synced, so that the new name survives a power cut. If an error occurs
// before the rename, the temporary file is removed and the old file is as it was. The permissions of the file are those
// that the umask leaves. A symbolic link is followed. What is not a regular file, such as a pipe, is written to directly.
func Replace(s System, path string, contents func(w io.Writer) error) error {
	target, special := resolve(path)
	if special {
		f, err := s.Append(target)
		if err != nil {
			return err
		}
		return fill(f, false, contents)
	}
	temporary := temporaryName(target)
	f, err := s.Create(temporary)
	if err != nil {
		return err
	}
	if err := fill(f, true, contents); err != nil {
		s.Remove(temporary)
		return err
	}
	if err := s.Rename(temporary, target); err != nil {
		s.Remove(temporary)
		return err
	}
	return s.SyncDir(filepath.Dir(target))
}

// Append adds text to the end of the file at path, which need not exist, and syncs it. After a crash or an error the file
// may end with a part of the text.
func Append(s System, path string, text []byte) error {
	_, err := os.Lstat(path)
	created := err != nil
	f, err := s.Append(path)
	if err != nil {
		return err
	}
	err = fill(f, true, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err == nil && created {
		err = s.SyncDir(filepath.Dir(path))
	}
	return err
}

// fill writes contents to a file and closes it. It returns the first error.
func fill(f File, sync bool, contents func(w io.Writer) error) error {
	b := bufio.NewWriterSize(f, bufferSize)
	err := contents(b)
	if err == nil {
		err = b.Flush()
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// resolve returns the path that symbolic links lead to, and whether there is something there that is no regular file.
func resolve(path string) (target string, special bool) {
	info, err := os.Stat(path)
	if err != nil {
		return path, false
	}
	if target, err = filepath.EvalSymlinks(path); err != nil {
		target = path
	}
	return target, !info.Mode().IsRegular()
}

// The name of a temporary file is ".NAME.tarn-PROCESS-NUMBER.tmp", both in hexadecimal.
const (
	temporaryInfix  = ".tarn-"
	temporarySuffix = ".tmp"
)

func temporaryName(path string) string {
	name := fmt.Sprintf(".%s%s%x-%08x%s", filepath.Base(path), temporaryInfix, os.Getpid(), rand.Uint32(), temporarySuffix)
	return filepath.Join(filepath.Dir(path), name)
}

// Sweep removes the temporary files that writers which were killed have left in a directory. No one may be writing there.
func Sweep(s System, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") && strings.Contains(name, temporaryInfix) && strings.HasSuffix(name, temporarySuffix) {
			s.Remove(filepath.Join(dir, name)) // if it stays, it is only in the way
		}
	}
	return nil
}
