package watch

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"time"

	"github.com/seed-49005b45/tarn/internal/file"
)

// This file holds the file of records: who writes it appends whole lines, and who reads it ignores a last line without an
// end, which is being written or was cut off.

// FileName is the name of the file in the folder of a run.
const FileName = "watch.jsonl"

// Version is that of the form of the lines.
const Version = 1

// maxLine is the longest line that is read, in bytes.
const maxLine = 64 << 20

// File appends to a file of records.
type File struct {
	f   *os.File
	err error
}

// Append opens the file at path for appending and creates it if needed. A last line that was cut off is removed.
func Append(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	end, err := wholeLines(f)
	if err == nil {
		err = f.Truncate(end)
	}
	if err == nil {
		_, err = f.Seek(end, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("watch: %w", err)
	}
	return &File{f: f}, nil
}

// wholeLines is the length of f without an unfinished last line.
func wholeLines(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is not a regular file", file.Name(f.Name()))
	}
	block := make([]byte, 64<<10)
	for end := info.Size(); end > 0; {
		n := min(end, int64(len(block)))
		if _, err := f.ReadAt(block[:n], end-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(block[:n], '\n'); i >= 0 {
			return end - n + int64(i) + 1, nil
		}
		end -= n
	}
	return 0, nil
}

// Write appends a line. A write that fails makes all later ones fail.
func (f *File) Write(l Line) error {
	if f.err != nil {
		return f.err
	}
	text, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	if _, err := f.f.Write(append(text, '\n')); err != nil {
		f.err = fmt.Errorf("watch: %w", err)
	}
	return f.err
}

// Close syncs and closes the file.
func (f *File) Close() error {
	err := errors.Join(f.f.Sync(), f.f.Close())
	if err != nil && f.err == nil {
		return fmt.Errorf("watch: %w", err)
	}
	return nil
}

// History is what a file of records says. After a resumed training what it had undone is not part of it.
type History struct {
	Header     *Header // the last one, or nil if there is none
	Steps      []Step
	Epochs     []Epoch
	Verdicts   []Verdict
	Histograms []Histogram
	Confusion  *Confusion // the last one, or nil
	Program    *Program   // the last one, or nil
	Failure    *Failure   // nil unless the training has ended with a run that was not finite
}

// Add takes the next line.
func (h *History) Add(l Line) {
	switch {
	case l.Header != nil:
		h.Header, h.Failure = l.Header, nil
		undone := func(run int64) bool { return run > l.Header.Run }
		h.Steps = slices.DeleteFunc(h.Steps, func(s Step) bool { return undone(s.Run) })
		h.Epochs = slices.DeleteFunc(h.Epochs, func(e Epoch) bool { return undone(e.Run) })
		h.Verdicts = slices.DeleteFunc(h.Verdicts, func(v Verdict) bool { return undone(v.Run) })
		h.Histograms = slices.DeleteFunc(h.Histograms, func(x Histogram) bool { return undone(x.Run) })
		if h.Confusion != nil && undone(h.Confusion.Run) {
			h.Confusion = nil
		}
	case l.Step != nil:
		h.Steps = append(h.Steps, *l.Step)
	case l.Epoch != nil:
		h.Epochs = append(h.Epochs, *l.Epoch)
	case l.Verdict != nil:
		h.Verdicts = append(h.Verdicts, *l.Verdict)
	case l.Failure != nil:
		h.Failure = l.Failure
	case l.Histogram != nil:
		h.Histograms = append(h.Histograms, *l.Histogram)
	case l.Confusion != nil:
		h.Confusion = l.Confusion
	case l.Program != nil:
		h.Program = l.Program
	}
}

// Load reads the file at path.
func Load(path string) (*History, error) {
	f, _, err := file.Open(path)
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	defer f.Close()
	h, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%w (in %s)", err, file.Name(path))
	}
	return h, nil
}

// Read reads records to the end of r. An unfinished last line is ignored; any other line that is not a record is an error
// that names it.
func Read(r io.Reader) (*History, error) {
	h := &History{}
	var d decoder
	lines := bufio.NewReaderSize(r, 1<<16)
	for {
		text, err := lines.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			err = nil
		}
		l, done, e := d.take(text)
		switch {
		case e != nil:
			return nil, e
		case done:
			h.Add(l)
		}
		if err == io.EOF {
			return h, nil
		}
		if err != nil {
			return nil, fmt.Errorf("watch: %w", err)
		}
	}
}

// decoder puts lines together from pieces.
type decoder struct {
	partial []byte
	number  int
	header  *Header
}

// take adds a piece of text, which ends at the end of a line or before. It reports whether that ends a line.
func (d *decoder) take(text []byte) (l Line, done bool, err error) {
	d.partial = append(d.partial, text...)
	if len(d.partial) > maxLine {
		return l, false, fmt.Errorf("watch: line %d is longer than %d bytes", d.number+1, maxLine)
	}
	if !bytes.HasSuffix(d.partial, []byte{'\n'}) {
		return l, false, nil
	}
	d.number++
	err = json.Unmarshal(d.partial, &l)
	d.partial = d.partial[:0]
	if err == nil {
		err = d.check(l)
	}
	if err != nil {
		return l, false, fmt.Errorf("watch: line %d: %w", d.number, err)
	}
	return l, true, nil
}

// check refuses lines that a reader would stumble over.
func (d *decoder) check(l Line) error {
	if h := l.Header; h != nil {
		if h.Version != Version {
			return fmt.Errorf("the records are of version %d; this program reads version %d", h.Version, Version)
		}
		d.header = h
	}
	if s := l.Step; s != nil {
		if d.header == nil {
			return errors.New("a step stands before the header")
		}
		params, layers := len(d.header.Params), len(d.header.Layers)
		for _, column := range [][]Number{s.Params.Norm, s.Params.GradNorm, s.Params.UpdateNorm, s.Params.Zeros, s.Params.GradZeros, s.Params.NonFinite} {
			if len(column) != params {
				return fmt.Errorf("a column of the params has %d numbers; the header lists %d params", len(column), params)
			}
		}
		for _, column := range [][]Number{s.Layers.Mean, s.Layers.Std, s.Layers.GradNorm, s.Layers.Dead, s.Layers.Saturated} {
			if len(column) != layers {
				return fmt.Errorf("a column of the layers has %d numbers; the header lists %d layers", len(column), layers)
			}
		}
		if r := s.Ranks; r != nil {
			for _, column := range [][]Number{r.Compute, r.Between, r.Wait, r.Exchange} {
				if len(column) != len(d.header.Ranks) {
					return fmt.Errorf("a column of the ranks has %d numbers; the header lists %d ranks", len(column), len(d.header.Ranks))
				}
			}
		}
		if n := len(s.Layers.GradSteps); n != 0 && n != layers {
			return fmt.Errorf("gradSteps has %d entries; the header lists %d layers", n, layers)
		}
	}
	return nil
}

// Follow returns an iterator over the lines of the file at path, those that are there and those to come, until the context is
// canceled, whose error comes last. The file need not exist yet. If the file shrinks, it has been begun anew: the iterator
// reads it from the start, and the next line is its header.
func Follow(ctx context.Context, path string) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		var d decoder
		var at int64
		for {
			grown, err := readFrom(path, at)
			switch {
			case errors.Is(err, errShrunk):
				d, at = decoder{}, 0
				continue
			case err != nil && !errors.Is(err, fs.ErrNotExist):
				yield(Line{}, fmt.Errorf("watch: %w", err))
				return
			}
			at += int64(len(grown))
			for text := range bytes.Lines(grown) {
				l, done, err := d.take(text)
				if err != nil || done {
					if !yield(l, err) || err != nil {
						return
					}
				}
			}
			if len(grown) > 0 && ctx.Err() == nil {
				continue
			}
			select {
			case <-ctx.Done():
				yield(Line{}, context.Cause(ctx))
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	}
}

var errShrunk = errors.New("the file has shrunk")

// readFrom reads what follows an offset, a piece of at most 4 MiB.
func readFrom(path string, at int64) ([]byte, error) {
	f, size, err := file.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size < at {
		return nil, errShrunk
	}
	text := make([]byte, min(size-at, 4<<20))
	n, err := f.ReadAt(text, at)
	if err == io.EOF {
		err = nil
	}
	return text[:n], err
}
