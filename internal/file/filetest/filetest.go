// Package filetest lets the calls of a file system fail, one after the other, in tests of what writes files.
package filetest

import (
	"errors"

	"github.com/seed-49005b45/tarn/internal/file"
)

// Fault is the error of a call that was made to fail.
var Fault = errors.New("a fault of the disk")

// Failing is the disk, but call At of its methods and of those of its files, counted from 1, returns Fault and does nothing,
// except that a Write writes half and a Close closes. If Broken is set, so do all calls after it, as after a power cut.
type Failing struct {
	At     int
	Broken bool
	Calls  int    // made so far
	Failed string // the method that failed first
}

func (s *Failing) fails(call string) bool {
	s.Calls++
	if s.Calls != s.At && !(s.Broken && s.At > 0 && s.Calls > s.At) {
		return false
	}
	if s.Failed == "" {
		s.Failed = call
	}
	return true
}

// Create implements file.System.
func (s *Failing) Create(path string) (file.File, error) {
	if s.fails("Create") {
		return nil, Fault
	}
	f, err := file.Disk.Create(path)
	return &failingFile{s, f}, err
}

// Append implements file.System.
func (s *Failing) Append(path string) (file.File, error) {
	if s.fails("Append") {
		return nil, Fault
	}
	f, err := file.Disk.Append(path)
	return &failingFile{s, f}, err
}

// Rename implements file.System.
func (s *Failing) Rename(from, to string) error {
	if s.fails("Rename") {
		return Fault
	}
	return file.Disk.Rename(from, to)
}

// Remove implements file.System.
func (s *Failing) Remove(path string) error {
	if s.fails("Remove") {
		return Fault
	}
	return file.Disk.Remove(path)
}

// SyncDir implements file.System.
func (s *Failing) SyncDir(path string) error {
	if s.fails("SyncDir") {
		return Fault
	}
	return file.Disk.SyncDir(path)
}

type failingFile struct {
	system *Failing
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
	return f.File.Sync()
}

func (f *failingFile) Close() error {
	if f.system.fails("Close") {
		f.File.Close()
		return Fault
	}
	return f.File.Close()
}
