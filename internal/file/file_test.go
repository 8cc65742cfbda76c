package file_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/file/filetest"
)

// contents writes text, in a few pieces.
func contents(text []byte) func(w io.Writer) error {
	return func(w io.Writer) error {
		for piece := range slices.Chunk(text, 1000) {
			if _, err := w.Write(piece); err != nil {
				return err
			}
		}
		return nil
	}
}

// names lists a directory.
func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestReplaceFaults lets every call fail in turn: the file has the old contents or the new, and no other file is left. If the
// disk fails for good, a sweep removes what is left.
func TestReplaceFaults(t *testing.T) {
	long := bytes.Repeat([]byte("new "), 50_000) // several writes
	for _, c := range []struct {
		name     string
		old, new []byte // old is nil if there is no file yet
		broken   bool
		loss     filetest.Loss
	}{
		{"first file", nil, []byte("new"), false, filetest.Nothing},
		{"replaced", []byte("old"), []byte("new"), false, filetest.Nothing},
		{"long", []byte("old"), long, false, filetest.Nothing},
		{"empty", []byte("old"), []byte{}, false, filetest.Nothing},
		{"power cut", []byte("old"), long, true, filetest.Nothing},
		{"power cut that takes data", []byte("old"), long, true, filetest.Data},
		{"power cut that takes names", []byte("old"), long, true, filetest.Names},
		{"power cut at the first file", nil, long, true, filetest.Names},
	} {
		var failed []string
		for at := 1; ; at++ {
			dir := t.TempDir()
			path := filepath.Join(dir, "file")
			if c.old != nil {
				if err := os.WriteFile(path, c.old, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := &filetest.Failing{At: at, Broken: c.broken, Loss: c.loss}
			err := file.Replace(s, path, contents(c.new))
			got, readErr := os.ReadFile(path)
			if s.Failed == "" {
				if err != nil || !bytes.Equal(got, c.new) {
					t.Errorf("%s: %d bytes and %v, want %d", c.name, len(got), err, len(c.new))
				}
				break
			}
			failed = append(failed, s.Failed)
			if !errors.Is(err, filetest.Fault) {
				t.Errorf("%s: %s failed, and the error is %v", c.name, s.Failed, err)
			}
			want := c.old
			if s.Failed == "SyncDir" && c.loss != filetest.Names {
				want = c.new
			}
			if !bytes.Equal(got, want) || (want == nil) != errors.Is(readErr, os.ErrNotExist) {
				t.Errorf("%s: after a failed %s the file has %d bytes, %v; want %d", c.name, s.Failed, len(got), readErr, len(want))
			}
			if c.broken {
				if err := file.Sweep(file.Disk, dir); err != nil {
					t.Error(err)
				}
			}
			if left := names(t, dir); len(left) > 1 || len(left) == 1 && left[0] != "file" {
				t.Errorf("%s: after a failed %s there are %v", c.name, s.Failed, left)
			}
		}
		for _, call := range []string{"Create", "Sync", "Close", "Rename", "SyncDir"} {
			if !slices.Contains(failed, call) {
				t.Errorf("%s: %s was never called; called were %v", c.name, call, failed)
			}
		}
		if writes := len(failed) - 5; writes != (len(c.new)+1<<16-1)>>16 {
			t.Errorf("%s: %d writes for %d bytes", c.name, writes, len(c.new))
		}
	}
}

// TestReplaceContents returns the error of contents, and leaves the old file.
func TestReplaceContents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	err := file.Replace(file.Disk, path, func(w io.Writer) error {
		w.Write([]byte("half"))
		return stop
	})
	if got, _ := os.ReadFile(path); !errors.Is(err, stop) || string(got) != "old" || len(names(t, filepath.Dir(path))) != 1 {
		t.Errorf("%q and %v, beside %v", got, err, names(t, filepath.Dir(path)))
	}
	if err := file.Replace(file.Disk, filepath.Join(filepath.Dir(path), "missing", "file"), contents(nil)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing directory: %v", err)
	}
	if err := file.Replace(file.Disk, filepath.Dir(path), contents(nil)); err == nil {
		t.Error("a directory is replaced")
	}
}

// TestCheck compares what Check says with what Replace does, and leaves everything as it was. Errors name the file and not the temporary one.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "old"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"new", "old", filepath.Join("missing", "file"), filepath.Join("old", "file"), strings.Repeat("n", 245)} {
		path := filepath.Join(dir, name)
		checked := file.Check(file.Disk, path)
		if left := names(t, dir); !slices.Equal(left, []string{"old"}) {
			t.Errorf("%s: Check leaves %v", name, left)
		}
		replaced := file.Replace(file.Disk, path, contents([]byte("old")))
		if (checked == nil) != (replaced == nil) {
			t.Errorf("%s: Check says %v, and Replace %v", name, checked, replaced)
		}
		for _, err := range []error{checked, replaced} {
			if err != nil && (!strings.Contains(err.Error(), name) || strings.Contains(err.Error(), ".tmp")) {
				t.Errorf("%s: the error is %v", name, err)
			}
		}
		os.Remove(filepath.Join(dir, "new"))
	}
}

// TestTargets writes to what is not simply a file.
func TestTargets(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "js" {
		t.Skip("Windows and browsers have neither modes nor devices, and not everyone may make links")
	}
	dir := t.TempDir()
	path, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"made", "replaced"} {
		if err := file.Replace(file.Disk, path, contents([]byte(text))); err != nil {
			t.Fatal(err)
		}
		if err := file.Replace(file.Disk, link, contents([]byte("by the link, "+text))); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); string(got) != "by the link, "+text {
			t.Errorf("%q, %v", got, err)
		}
	}
	probe, err := os.OpenFile(filepath.Join(dir, "probe"), os.O_CREATE, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer probe.Close()
	want, _ := probe.Stat()
	if got, _ := os.Stat(path); got.Mode() != want.Mode() {
		t.Errorf("the mode is %v, want %v", got.Mode(), want.Mode())
	}
	if err := file.Replace(file.Disk, os.DevNull, contents([]byte("gone"))); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatalf("%s is a file now: %v", os.DevNull, err)
	}
}

// TestAppend adds lines and lets every call fail in turn: what was there stays.
func TestAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for _, line := range []string{"one\n", "two\n"} {
		if err := file.Append(file.Disk, path, []byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); string(got) != "one\ntwo\n" {
		t.Fatalf("%q, %v", got, err)
	}
	var failed []string
	for _, first := range []bool{false, true} {
		for at := 1; ; at++ {
			if first {
				path = filepath.Join(t.TempDir(), "log")
			}
			before, _ := os.ReadFile(path)
			s := &filetest.Failing{At: at}
			err := file.Append(s, path, []byte("three\n"))
			got, _ := os.ReadFile(path)
			if s.Failed == "" {
				if err != nil || string(got) != string(before)+"three\n" {
					t.Errorf("%q, %v", got, err)
				}
				break
			}
			failed = append(failed, s.Failed)
			if !errors.Is(err, filetest.Fault) || !bytes.HasPrefix(got, before) {
				t.Errorf("after a failed %s: %q, %v", s.Failed, got, err)
			}
		}
	}
	if want := []string{"Append", "Write", "Sync", "Close", "Append", "Write", "Sync", "Close", "SyncDir"}; !slices.Equal(failed, want) {
		t.Errorf("the calls are %v, want %v", failed, want)
	}
}

// TestSweep removes our own temporary files and nothing else: those of the named files, and those whose process is gone.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	alive := os.Getppid()
	ours := []string{".name.tarn-1-2.tmp", fmt.Sprintf(".other.tarn-%x-0.tmp", os.Getpid()), ".a.tarn-b.tarn-7ffffff0-12345678.tmp"}
	keep := []string{".other.tarn-x-2.tmp", ".other.tarn-1.tmp", ".other.tmp", "a.tmp", "name.tarn-1-2.tmp", fmt.Sprintf(".other.tarn-%x-2.tmp", alive)}
	for _, name := range slices.Concat(ours, keep) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Sweep(file.Disk, dir, "name"); err != nil {
		t.Fatal(err)
	}
	slices.Sort(keep)
	if left := names(t, dir); !slices.Equal(left, keep) {
		t.Errorf("left are %v, want %v", left, keep)
	}
	if err := file.Sweep(file.Disk, filepath.Join(dir, "missing")); err == nil {
		t.Error("a missing directory is swept")
	}
}

// TestKeeping writes a file again and again, lets every call fail in turn, and expects the newest three in their order, with at
// most one of the older names left out or twice the newest.
func TestKeeping(t *testing.T) {
	older := func(dir string) []string { return []string{filepath.Join(dir, "b"), filepath.Join(dir, "c")} }
	write := func(s file.System, dir, text string) error {
		return file.ReplaceKeeping(s, filepath.Join(dir, "a"), older(dir), contents([]byte(text)))
	}
	for k := range 5 * 3 {
		written, loss := k/3, filetest.Loss(k%3)
		for at := 1; ; at++ {
			dir := t.TempDir()
			for i := range written {
				if err := write(file.Disk, dir, fmt.Sprint(i)); err != nil {
					t.Fatal(err)
				}
			}
			s := &filetest.Failing{At: at, Broken: true, Loss: loss}
			err := write(s, dir, fmt.Sprint(written))
			if (err == nil) != (s.Failed == "") {
				t.Errorf("after %d, %s failed: %v", written, s.Failed, err)
			}
			got := ""
			for _, name := range []string{"a", "b", "c"} {
				text, _ := os.ReadFile(filepath.Join(dir, name))
				got += string(text)
			}
			all := "43210"
			before := all[5-written : 5-max(0, written-3)]
			after := all[4-written : 5-max(0, written-2)]
			newest := before[:min(1, len(before))]
			between := []string{before, before[:max(len(newest), min(2, len(before)-1))], newest + after[min(1, len(after)):]}
			if got != after && (s.Failed == "" || !slices.Contains(between, got)) {
				t.Errorf("after %d, %s failed (call %d): %q, want %q or one of %q", written, s.Failed, at, got, after, between)
			}
			if s.Failed == "" {
				break
			}
		}
	}
}
