// Package file replaces files so that a crash at any moment leaves the old contents or the new ones.
package file

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// bufferSize is the size of the pieces in which contents reach the disk.
const bufferSize = 1 << 16

// Replace writes the file at path, which need not exist: contents goes to a temporary file in the same directory, which is
// synced and then renamed, and the directory is synced, so that the new name survives a power cut. If an error occurs
// before the rename, the temporary file is removed and the old file is as it was. The permissions of the file are those
// that the umask leaves. A symbolic link is followed. What is not a regular file, such as a pipe, is written to directly.
func Replace(s System, path string, contents func(w io.Writer) error) error {
	return ReplaceKeeping(s, path, nil, contents)
}

// ReplaceKeeping is Replace, and what the file was before is kept: it gets the first of the names in older, what had that
// name gets the second, and so on; what had the last is gone. A crash between two of these renamings leaves at most one of
// the older names without a file, and the file itself as it was. (On a file system without hard links it may be the file
// that is missing, and the first of the older names has what it was.)
func ReplaceKeeping(s System, path string, older []string, contents func(w io.Writer) error) error {
	return shown(replace(s, path, older, contents))
}

// Check returns the error with which Replace would fail before it writes, because the directory is missing or one may not write there. It
// leaves nothing behind.
func Check(s System, path string) error {
	target, special := resolve(path)
	if special {
		return nil
	}
	temporary := temporaryName(target)
	f, err := s.Create(temporary)
	if err != nil {
		return shown(err)
	}
	err = f.Close()
	s.Remove(temporary)
	return shown(err)
}

func replace(s System, path string, older []string, contents func(w io.Writer) error) error {
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
	err = rotate(s, target, older)
	if err == nil {
		err = s.Rename(temporary, target)
	}
	if err != nil {
		s.Remove(temporary)
		return err
	}
	return s.SyncDir(filepath.Dir(target))
}

// rotate gives each file the next of the older names. The newest keeps its own name too, if the file system has links.
func rotate(s System, newest string, older []string) error {
	for i := len(older) - 1; i > 0; i-- {
		if err := s.Rename(older[i-1], older[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if len(older) == 0 {
		return nil
	}
	link := temporaryName(newest)
	err := s.Link(newest, link)
	switch {
	case err == nil:
		err = s.Rename(link, older[0])
		s.Remove(link) // it stays if a crash has left one file under both names, between which Rename changes nothing
	case !errors.Is(err, fs.ErrNotExist):
		err = s.Rename(newest, older[0])
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Append adds text to the end of the file at path, which need not exist, and syncs it. After a crash or an error the file
// may end with a part of the text.
func Append(s System, path string, text []byte) error {
	return shown(appendTo(s, path, text))
}

func appendTo(s System, path string, text []byte) error {
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

// Sweep removes the temporary files that writers which were killed have left in a directory. Those of the named files go in
// any case, so that no one else may be writing these; others go if their process is gone.
func Sweep(s System, dir string, names ...string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return shown(err)
	}
	for _, e := range entries {
		name, process, ok := parseTemporary(e.Name())
		if ok && (slices.Contains(names, name) || process == os.Getpid() || !exists(process)) {
			s.Remove(filepath.Join(dir, e.Name())) // if it stays, it is only in the way
		}
	}
	return nil
}

// parseTemporary returns the file and the process that the name of a temporary file tells.
func parseTemporary(temporary string) (name string, process int, ok bool) {
	rest, begins := strings.CutPrefix(temporary, ".")
	rest, ends := strings.CutSuffix(rest, temporarySuffix)
	at := strings.LastIndex(rest, temporaryInfix)
	if !begins || !ends || at < 0 {
		return "", 0, false
	}
	writer, number, _ := strings.Cut(rest[at+len(temporaryInfix):], "-")
	p, err := strconv.ParseInt(writer, 16, 32)
	_, wrong := strconv.ParseUint(number, 16, 32)
	return rest[:at], int(p), err == nil && wrong == nil
}
