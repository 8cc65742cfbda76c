package exec

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds Storage, which keeps track of where the elements of a tensor are: they stay where they were written last, and move when they are read.

// Copy is the elements of a tensor on a device. It counts its users: it is made with one, and its memory is given back when the last one has released it.
type Copy interface {
	Type() ir.Type
	// Fetch waits until the elements are there and copies them to a, which has their type or another one of equal size.
	Fetch(a ir.Array) error
	Retain()
	Release()
}

// Storage is the memory of a tensor. Reshaped tensors share one.
type Storage struct {
	host ir.Array
	at   atomic.Uint32 // where the elements are: onHost, onBoth or onDevice
	mu   sync.Mutex    // of copy, and of changes of at
	copy *heldCopy     // nil until the first copy
}

const (
	onHost uint32 = iota
	onBoth
	onDevice
)

// heldCopy is the copy of a storage apart from it, so that the copy can be released once the storage is garbage.
type heldCopy struct{ Copy }

func (h *heldCopy) set(c Copy) {
	if h.Copy != nil {
		h.Copy.Release()
	}
	h.Copy = c
}

// used is whether a storage has ever been on a device.
var used atomic.Bool

// Devices reports whether any storage may be on a device. If it is false, Read, Write and Drop have nothing to do.
func Devices() bool { return used.Load() }

// Init makes s the storage of an array in the host's memory.
func (s *Storage) Init(host ir.Array) { s.host = host }

// Host returns the array in the host's memory, whose elements are those of the tensor after Read or Write.
func (s *Storage) Host() ir.Array { return s.host }

// Read makes the elements in the host's memory current.
func (s *Storage) Read() error {
	if s == nil || s.at.Load() != onDevice {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fetch()
}

// fetch is Read with the lock.
func (s *Storage) fetch() error {
	if s.at.Load() != onDevice {
		return nil
	}
	if err := s.copy.Fetch(s.host); err != nil {
		return err
	}
	s.at.Store(onBoth)
	return nil
}

// Write makes the elements in the host's memory current, and the only ones: the caller may change them.
func (s *Storage) Write() error {
	if s == nil || s.at.Load() == onHost {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fetch(); err != nil {
		return err
	}
	s.drop()
	return nil
}

// Drop forgets what is on a device: the caller overwrites all elements in the host's memory.
func (s *Storage) Drop() {
	if s == nil || s.at.Load() == onHost {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop()
}

func (s *Storage) drop() {
	if s.copy != nil {
		s.copy.set(nil)
	}
	s.at.Store(onHost)
}

// hold stores a copy in place of the one before.
func (s *Storage) hold(c Copy, at uint32) {
	if s.copy == nil {
		used.Store(true)
		s.copy = &heldCopy{}
		runtime.AddCleanup(s, func(h *heldCopy) { h.set(nil) }, s.copy)
	}
	s.copy.set(c)
	s.at.Store(at)
}

// Moved says that the elements are now those of a copy, and makes s the one user of it.
func (s *Storage) Moved(c Copy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold(c, onDevice)
}

// Uploaded says that a copy, of which s becomes the one user, has the elements that the host's memory has.
func (s *Storage) Uploaded(c Copy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold(c, onBoth)
}

// Copy returns the copy, for its caller to release, or nil if there is none or fits does not hold of it.
func (s *Storage) Copy(fits func(Copy) bool) Copy {
	if s == nil || s.at.Load() == onHost {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.Load() == onHost || !fits(s.copy.Copy) {
		return nil
	}
	s.copy.Retain()
	return s.copy.Copy
}

// OnDevice returns a copy that fits, for its caller to release: the one that there is, or else one that upload makes of the host's memory, which s keeps.
func (s *Storage) OnDevice(fits func(Copy) bool, upload func(ir.Array) (Copy, error)) (Copy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.Load() == onHost || !fits(s.copy.Copy) {
		if err := s.fetch(); err != nil {
			return nil, err
		}
		c, err := upload(s.host)
		if err != nil {
			return nil, err
		}
		s.hold(c, onBoth)
	}
	s.copy.Retain()
	return s.copy.Copy, nil
}

// Used says that a run has read the tensor as an input. A copy beside the host's memory is forgotten, since that memory is the caller's, who may change
// it at any time.
func (s *Storage) Used() {
	if s == nil || s.at.Load() != onBoth {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.Load() == onBoth {
		s.drop()
	}
}
