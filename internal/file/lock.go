package file

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// This file holds Lock, which keeps a second process from writing where one writes. It is advisory: only those who ask for
// it respect it. The system releases it when its process ends, however it ends, so what a crash leaves is only a file.
// On a file system that has no locks, the file counts until its process is gone.

// A Lock is held until it is released.
type Lock struct {
	f    *os.File
	path string
}

// Holder says who holds a lock.
type Holder struct {
	Process int       `json:"pid"`
	Host    string    `json:"host"`
	Started time.Time `json:"started"` // when the process began, to a second or so
	Since   time.Time `json:"since"`   // when it took the lock
}

// String returns the holder as messages name it.
func (h Holder) String() string {
	if h.Process == 0 {
		return "another process"
	}
	return fmt.Sprintf("process %d on %s, since %s", h.Process, Name(h.Host), h.Since.Local().Format("2006-01-02 15:04:05"))
}

// Held is the error of a lock that someone else holds.
type Held struct {
	Path   string
	Holder Holder
	Sure   bool // whether the system says so; otherwise only the file does
}

func (e *Held) Error() string {
	text := fmt.Sprintf("%s is held by %v", Name(e.Path), e.Holder)
	if !e.Sure {
		text += "; if that process is gone, delete the file"
	}
	return text
}

// maxHolder is the largest lock file that is read, in bytes.
const maxHolder = 1 << 12

// errHeld is what the system says if another holds the lock.
var errHeld = errors.New("held")

// Acquire takes the lock of the file at path, which it creates, or returns a *Held at once.
func Acquire(path string) (*Lock, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|noWait, 0o666)
		if err != nil {
			return nil, shown(err)
		}
		lock, err := acquire(f, path)
		if err == nil {
			return lock, nil
		}
		f.Close()
		if err != errGone {
			return nil, err
		}
	}
}

// errGone says that the holder before has removed the file since it was opened.
var errGone = errors.New("gone")

func acquire(f *os.File, path string) (*Lock, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, shown(err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s should be a lock, and is %s", Name(path), kind(info.Mode()))
	}
	err = lockFile(f)
	var before Holder
	text, _ := io.ReadAll(io.NewSectionReader(f, 0, maxHolder))
	json.Unmarshal(text, &before) // a text that is cut names nobody
	switch {
	case errors.Is(err, errHeld):
		return nil, &Held{path, before, true}
	case errors.Is(err, errors.ErrUnsupported):
		if before.alive() {
			return nil, &Held{path, before, false}
		}
	case err != nil:
		return nil, fmt.Errorf("%s cannot be locked: %w", Name(path), err)
	}
	if now, err := os.Stat(path); err != nil || !os.SameFile(now, info) {
		return nil, errGone
	}
	host, _ := os.Hostname()
	me := Holder{os.Getpid(), host, time.Time{}, time.Now()}
	me.Started, _ = startOf(me.Process)
	line, err := json.Marshal(me)
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(append(line, '\n'), 0)
	}
	if err != nil {
		return nil, shown(err)
	}
	return &Lock{f, path}, nil
}

// Release releases the lock and removes its file.
func (l *Lock) Release() error {
	return shown(removeHeld(l.path, l.f))
}

// HolderIn reads a lock's file and reports whether its holder may still be there. It takes no lock, so it disturbs nobody.
func HolderIn(r io.Reader) (Holder, bool) {
	var h Holder
	text, _ := io.ReadAll(io.LimitReader(r, maxHolder))
	json.Unmarshal(text, &h) // a text that is cut names nobody
	return h, h.alive()
}

// alive reports whether the holder may still be there: on another host that cannot be known.
func (h Holder) alive() bool {
	host, err := os.Hostname()
	switch {
	case h.Process == 0:
		return false
	case err != nil || h.Host != host:
		return true
	case !exists(h.Process):
		return false
	}
	const rounding = 2 * time.Second
	started, known := startOf(h.Process)
	return !known || h.Started.IsZero() || started.Sub(h.Started).Abs() < rounding // otherwise the number was given again
}
