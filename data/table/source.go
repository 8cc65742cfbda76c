package table

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/seed-49005b45/tarn/internal/dense"
	"github.com/seed-49005b45/tarn/internal/file"
)

// This file opens texts: it unpacks them, makes UTF-8 of them, and lets them be read more than once.

// source is a text that can be read from its beginning more than once.
type source struct {
	open  func() (io.ReadCloser, error) // the bytes as they lie in the file
	size  int64                         // of the file; -1 if it is not known
	close func() error

	packed   string
	encoding string
	order    unicode.Endianness // of UTF-16 without a byte order mark
	limit    int64
}

// fileSource is the file at path.
func fileSource(path string) (*source, error) {
	f, size, err := file.Open(path)
	if err != nil {
		return nil, err
	}
	f.Close()
	return &source{size: size, close: func() error { return nil }, open: func() (io.ReadCloser, error) {
		f, _, err := file.Open(path)
		return f, err
	}}, nil
}

// spoolSize is how much of a stream is kept in memory; what is more goes to a temporary file.
const spoolSize = 32 << 20

// streamSource keeps a stream, so that it can be read again.
func streamSource(r io.Reader, limit int64) (*source, error) {
	var head bytes.Buffer
	if _, err := io.Copy(&head, io.LimitReader(r, spoolSize)); err != nil {
		return nil, err
	}
	if head.Len() < spoolSize {
		return &source{size: int64(head.Len()), close: func() error { return nil }, open: func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(head.Bytes())), nil
		}}, nil
	}
	f, err := os.CreateTemp("", "tarn-table-")
	if err != nil {
		return nil, fmt.Errorf("no temporary file for a large stream: %w", err)
	}
	os.Remove(f.Name()) // where the system allows it; close removes it where not
	remove := func() error { return errors.Join(f.Close(), removeIfThere(f.Name())) }
	n, err := io.Copy(f, io.MultiReader(&head, io.LimitReader(r, limit)))
	if err != nil {
		remove()
		return nil, fmt.Errorf("temporary file for a large stream: %w", err)
	}
	return &source{size: n, close: remove, open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(f, 0, n)), nil
	}}, nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// sniff finds out packing and encoding, and returns the first part of the text and whether this is all of it.
func (s *source) sniff() (text []byte, whole bool, err error) {
	raw, err := s.open()
	if err != nil {
		return nil, false, err
	}
	defer raw.Close()
	r := bufio.NewReader(raw)
	magic, _ := r.Peek(6)
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		s.packed = "gzip"
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		s.packed = "zstd"
	case bytes.HasPrefix(magic, []byte("PK\x03\x04")):
		return nil, false, errors.New("this is a zip archive, perhaps a spreadsheet (.xlsx): unpack it, or save the sheet as CSV")
	case bytes.HasPrefix(magic, []byte("PAR1")):
		return nil, false, errors.New("this is a Parquet file: read it with package parquet")
	case bytes.HasPrefix(magic, []byte("SQLite")):
		return nil, false, errors.New("this is an SQLite database: read it with package sqlite")
	case bytes.HasPrefix(magic, []byte("BZh")), bytes.HasPrefix(magic, []byte("\xfd7zXZ")):
		return nil, false, errors.New("the file is packed with bzip2 or xz: unpack it, or pack it with gzip or zstd")
	}
	plain, done, err := s.unpack(r)
	if err != nil {
		return nil, false, err
	}
	defer done()
	b := bufio.NewReaderSize(plain, 4096)
	mark, _ := b.Peek(3)
	switch {
	case bytes.Equal(mark, []byte("\xef\xbb\xbf")):
		s.encoding = "UTF-8"
	case bytes.HasPrefix(mark, []byte{0xff, 0xfe}), bytes.HasPrefix(mark, []byte{0xfe, 0xff}):
		s.encoding = "UTF-16"
	default:
		s.unmarked(b)
	}
	text, err = io.ReadAll(io.LimitReader(s.decode(b), sampleSize+1))
	if err != nil {
		return nil, false, err
	}
	whole = len(text) <= sampleSize
	text = text[:min(len(text), sampleSize)]
	if s.encoding == "" {
		s.encoding = "UTF-8"
		if latin(text, whole) {
			s.encoding = "Windows-1252"
			if text, err = charmap.Windows1252.NewDecoder().Bytes(text); err != nil {
				return nil, false, err
			}
		}
	}
	return text, whole, nil
}

// unmarked finds out whether a text without a byte order mark is UTF-16. It is if most of its words, of two bytes, have a 0 in one place, and none has it in the other.
func (s *source) unmarked(b *bufio.Reader) {
	head, _ := b.Peek(1024)
	var zeros [2]int
	for i, c := range head {
		if c == 0 {
			zeros[i%2]++
		}
	}
	for place, order := range []unicode.Endianness{unicode.BigEndian, unicode.LittleEndian} {
		if zeros[place] > len(head)/4 && zeros[1-place] == 0 {
			s.encoding, s.order = "UTF-16", order
		}
	}
}

// unpack returns the reader of what a packed file holds.
func (s *source) unpack(r io.Reader) (io.Reader, func(), error) {
	switch s.packed {
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil, fmt.Errorf("gzip: %w", err)
		}
		return z, func() {}, nil
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return nil, nil, fmt.Errorf("zstd: %w", err)
		}
		return z, z.Close, nil
	}
	return r, func() {}, nil
}

// decode returns the text as UTF-8, without a byte order mark.
func (s *source) decode(r *bufio.Reader) io.Reader {
	switch s.encoding {
	case "UTF-16":
		return unicode.UTF16(s.order, unicode.UseBOM).NewDecoder().Reader(r)
	case "Windows-1252":
		return charmap.Windows1252.NewDecoder().Reader(r)
	}
	if mark, _ := r.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		r.Discard(3)
	}
	return r
}

// text opens the whole text, once sniff has been called.
func (s *source) text() (io.Reader, func(), error) {
	raw, err := s.open()
	if err != nil {
		return nil, nil, err
	}
	plain, done, err := s.unpack(bufio.NewReaderSize(raw, 64<<10))
	if err != nil {
		raw.Close()
		return nil, nil, err
	}
	r := s.decode(bufio.NewReaderSize(plain, 64<<10))
	return &bounded{r: r, left: s.limit}, func() { done(); raw.Close() }, nil
}

// bounded passes on what it reads until it is more than a limit.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("the text is too large: %w", dense.ErrLimit)
	}
	return n, err
}
