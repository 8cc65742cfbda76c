package board

import (
	"bytes"
	"io"
	"os"

	"github.com/seed-49005b45/tarn/internal/file"
)

// This file holds tail, which reads what a file has gained since it was read last.

// maxLine is the longest line that is read, in bytes. What is longer is counted as bad.
const maxLine = 16 << 20

// tail is a place in a growing file of lines.
type tail struct {
	name    string
	info    os.FileInfo // of the file when it was read last
	at      int64
	partial []byte
	end     []byte // what stands before at, by which a file that was begun anew is told
	bad     int    // lines that could not be read
}

// read calls line for each whole line that came since, and reset first if the file has been begun anew. A file that does
// not exist is empty.
func (t *tail) read(root *os.Root, reset func(), line func(text []byte) error) error {
	f, size, err := file.OpenIn(root, t.name)
	if err != nil {
		if os.IsNotExist(err) {
			if t.info != nil {
				*t = tail{name: t.name}
				reset()
			}
			return nil
		}
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	end := make([]byte, len(t.end))
	if _, err := f.ReadAt(end, t.at-int64(len(end))); t.info != nil && (err != nil || !bytes.Equal(end, t.end)) {
		*t = tail{name: t.name}
		reset()
	}
	t.info = info
	block := make([]byte, min(size-t.at, 1<<20))
	for t.at < size {
		n, err := f.ReadAt(block[:min(size-t.at, int64(len(block)))], t.at)
		t.at += int64(n)
		if n > 0 {
			t.end = append(t.end[:0], block[max(n-4096, 0):n]...)
		}
		for text := range bytes.Lines(block[:n]) {
			if t.partial = append(t.partial, text...); !bytes.HasSuffix(text, []byte{'\n'}) {
				break
			}
			if len(t.partial) > maxLine || line(t.partial) != nil {
				t.bad++
			}
			t.partial = t.partial[:0]
		}
		if len(t.partial) > maxLine {
			t.partial = append(t.partial[:0], make([]byte, maxLine+1)...) // its end is still looked for
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
