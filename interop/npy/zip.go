package npy

import (
	"archive/zip"
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/internal/dense"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file reads and writes archives of arrays (.npz): zip files whose members are npy files, each called by the name of its array
// and ".npy".

const suffix = ".npy"

// maxMembers is the largest number of arrays of an archive that is read.
const maxMembers = 100_000

// ReadZip reads all arrays of an archive of size bytes, as numpy.savez and numpy.savez_compressed write them, under their names. Members that are
// not arrays are errors.
func ReadZip(r io.ReaderAt, size int64) (map[string]data.Array, error) {
	return Options{}.ReadZip(r, size)
}

// LoadZip reads the archive at path.
func LoadZip(path string) (map[string]data.Array, error) { return Options{}.LoadZip(path) }

// ReadZip is the function ReadZip with options.
func (o Options) ReadZip(r io.ReaderAt, size int64) (map[string]data.Array, error) {
	arrays, err := o.readZip(r, size)
	if err != nil {
		return nil, fmt.Errorf("npy: %w", err)
	}
	return arrays, nil
}

// LoadZip is the function LoadZip with options.
func (o Options) LoadZip(path string) (map[string]data.Array, error) {
	f, size, err := file.Open(path)
	if err != nil {
		return nil, fmt.Errorf("npy: %w", err)
	}
	defer f.Close()
	arrays, err := o.readZip(f, size)
	if err != nil {
		return nil, fmt.Errorf("npy: %s: %w", file.Name(path), err)
	}
	return arrays, nil
}

func (o Options) readZip(r io.ReaderAt, size int64) (map[string]data.Array, error) {
	if size < 0 {
		return nil, fmt.Errorf("an archive of %d bytes", size)
	}
	archive, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // nothing is unpacked under its name
		return nil, fmt.Errorf("not an npz archive, or a broken one: %w", err)
	}
	if len(archive.File) > maxMembers {
		return nil, fmt.Errorf("an archive of %d members: at most %d are read", len(archive.File), maxMembers)
	}
	usual := int64(dense.Unpacked)
	for _, m := range archive.File {
		if m.Method != zip.Store {
			usual = dense.Packed
		}
	}
	total := 0
	fit := func(n, size int) error {
		if total += n * size; total < 0 {
			total = 1<<63 - 1
		}
		if err := dense.Fit(total, 1, o.MaxBytes, usual); err != nil {
			return fmt.Errorf("%d elements of %d bytes: with the arrays before it %w", n, size, err)
		}
		return nil
	}
	arrays := make(map[string]data.Array, len(archive.File))
	for _, m := range archive.File {
		name, ok := strings.CutSuffix(m.Name, suffix)
		if !ok {
			return nil, fmt.Errorf("member %s is not an array: its name does not end in %s", list.Quote(m.Name), suffix)
		}
		if _, ok := arrays[name]; ok {
			return nil, fmt.Errorf("the archive has %s twice", list.Quote(m.Name))
		}
		if arrays[name], err = readMember(m, fit); err != nil {
			return nil, fmt.Errorf("array %s: %w", list.Quote(name), err)
		}
	}
	return arrays, nil
}

// readMember reads one array. The end of a member has a checksum, which the reader compares.
func readMember(m *zip.File, fit func(n, size int) error) (data.Array, error) {
	if m.Flags&1 != 0 {
		return data.Array{}, errors.New("it is encrypted: write it without a password")
	}
	r, err := m.Open()
	if err != nil {
		return data.Array{}, fmt.Errorf("it cannot be unpacked (method %d): %w", m.Method, err)
	}
	defer r.Close()
	return read(bufio.NewReader(r), fit)
}

// WriteZip writes an archive of arrays in the order of their names, as numpy.savez does. The same arrays are written as the same bytes.
func WriteZip(w io.Writer, arrays map[string]data.Array) error {
	return SaveOptions{}.WriteZip(w, arrays)
}

// SaveZip writes an archive to the file at path atomically: a crash at any moment leaves the old file or the new one.
func SaveZip(path string, arrays map[string]data.Array) error {
	return SaveOptions{}.SaveZip(path, arrays)
}

// WriteZip is the function WriteZip with options.
func (o SaveOptions) WriteZip(w io.Writer, arrays map[string]data.Array) error {
	if err := o.writeZip(w, arrays); err != nil {
		return fmt.Errorf("npy: %w", err)
	}
	return nil
}

// SaveZip is the function SaveZip with options.
func (o SaveOptions) SaveZip(path string, arrays map[string]data.Array) error {
	if err := file.Replace(file.Disk, path, func(w io.Writer) error { return o.writeZip(w, arrays) }); err != nil {
		return fmt.Errorf("npy: %s: %w", file.Name(path), err)
	}
	return nil
}

func (o SaveOptions) writeZip(w io.Writer, arrays map[string]data.Array) error {
	z := zip.NewWriter(w)
	method := zip.Store
	if o.Compress {
		method = zip.Deflate
	}
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		m, err := z.CreateHeader(&zip.FileHeader{Name: name + suffix, Method: method})
		if err == nil {
			err = o.write(m, arrays[name])
		}
		if err != nil {
			return fmt.Errorf("array %s: %w", list.Quote(name), err)
		}
	}
	return z.Close()
}
