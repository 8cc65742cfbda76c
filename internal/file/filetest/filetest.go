// Package filetest lets the calls of a file system fail, one after the other, in tests of what writes files.
package filetest

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/seed-49005b45/tarn/internal/file"
)

// Fault is the error of a call that was made to fail.
var Fault = errors.New("a fault of the disk")

// Loss says what a power cut takes from a disk.
type Loss int

// The losses. A file system may keep any part of what was not synced; these are the extremes.
const (
	Nothing Loss = iota
	Data         // what was written to files and not synced
	Names        // that, and what was created, renamed or removed in a directory that was not synced since
)

// Failing is the disk, but call At of its methods and of those of its files, counted from 1, returns Fault and does nothing,
// except that a Write writes half and a Close closes. If Broken is set, so do all calls after it, as after a power cut,
// which takes what Loss says.
type Failing struct {
	At     int
	Broken bool
	Loss   Loss
	Calls  int    // made so far
	Failed string // the method that failed first

	synced map[string]int64    // by path: how much of a file that was written is synced
	undo   map[string][]func() // by directory: takes back what was done there and not synced
}

func (s *Failing) fails(call string) bool {
	s.Calls++
	if s.Calls != s.At && !(s.Broken && s.At > 0 && s.Calls > s.At) {
		return false
	}
	if s.Failed == "" {
		s.Failed = call
		defer s.cut()
	}
	return true
}

// cut takes what is lost.
func (s *Failing) cut() {
	if !s.Broken || s.Loss == Nothing {
		return
	}
	for dir := range s.undo {
		if s.Loss < Names {
			break
		}
		steps := s.undo[dir]
		for i := len(steps) - 1; i >= 0; i-- {
			steps[i]()
		}
	}
	for path, size := range s.synced {
		if info, err := os.Stat(path); err == nil && info.Size() > size {
			os.Truncate(path, size)
		}
	}
}

// done notes how to take back what was done to a name, which had the given contents, nil for none.
func (s *Failing) done(path string, undo func()) {
	if s.undo == nil {
		s.undo = map[string][]func(){}
	}
	dir := filepath.Dir(path)
	s.undo[dir] = append(s.undo[dir], undo)
}

// restorer returns a function that gives a file its present contents again, if it exists.
func restorer(path string) func() {
	text, err := os.ReadFile(path)
	if err != nil {
		return func() {}
	}
	return func() { os.WriteFile(path, text, 0o666) }
}

// opened wraps a file that was opened for writing.
func (s *Failing) opened(path string, f file.File, existed bool) file.File {
	if s.synced == nil {
		s.synced = map[string]int64{}
	}
	if info, err := os.Stat(path); err == nil {
		s.synced[path] = info.Size()
	}
	if !existed {
		s.done(path, func() { os.Remove(path) })
	}
	return &failingFile{s, path, f}
}

// Create implements file.System.
func (s *Failing) Create(path string) (file.File, error) {
	if s.fails("Create") {
		return nil, Fault
	}
	f, err := file.Disk.Create(path)
	if err != nil {
		return nil, err
	}
	return s.opened(path, f, false), nil
}

// Append implements file.System.
func (s *Failing) Append(path string) (file.File, error) {
	if s.fails("Append") {
		return nil, Fault
	}
	_, missing := os.Stat(path)
	f, err := file.Disk.Append(path)
	if err != nil {
		return nil, err
	}
	return s.opened(path, f, missing == nil), nil
}

// Rename implements file.System.
func (s *Failing) Rename(from, to string) error {
	if s.fails("Rename") {
		return Fault
	}
	restore := restorer(to)
	err := file.Disk.Rename(from, to)
	if err == nil {
		s.done(to, func() { os.Rename(to, from); delete(s.synced, to); restore() })
		if size, ok := s.synced[from]; ok {
			delete(s.synced, from)
			s.synced[to] = size
		}
	}
	return err
}

// Link implements file.System.
func (s *Failing) Link(from, to string) error {
	if s.fails("Link") {
		return Fault
	}
	err := file.Disk.Link(from, to)
	if err == nil {
		s.done(to, func() { os.Remove(to) })
	}
	return err
}

// Remove implements file.System.
func (s *Failing) Remove(path string) error {
	if s.fails("Remove") {
		return Fault
	}
	restore := restorer(path)
	err := file.Disk.Remove(path)
	if err == nil {
		s.done(path, restore)
		delete(s.synced, path)
	}
	return err
}

// SyncDir implements file.System.
func (s *Failing) SyncDir(path string) error {
	if s.fails("SyncDir") {
		return Fault
	}
	err := file.Disk.SyncDir(path)
	if err == nil {
		delete(s.undo, path)
	}
	return err
}

type failingFile struct {
	system *Failing
	path   string
	file.File
}

func (f *failingFile) Write(p []byte) (int, error) {
	if f.system.fails("Write") {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, Fault
	}
	return f.File.Write(p)
}

func (f *failingFile) Sync() error {
	if f.system.fails("Sync") {
		return Fault
	}
	err := f.File.Sync()
	if info, missing := os.Stat(f.path); err == nil && missing == nil {
		f.system.synced[f.path] = info.Size()
	}
	return err
}

func (f *failingFile) Close() error {
	if f.system.fails("Close") {
		f.File.Close()
		return Fault
	}
	return f.File.Close()
}
