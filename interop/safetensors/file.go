package safetensors

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
)

// This file replaces files so that a crash at any moment leaves the old contents or the new ones.

// replaceFile writes the file at path by way of a temporary file in the same directory, which is on the disk before it
// gets its name. The directory is brought to the disk too, so that the name outlives a power cut.
func replaceFile(path string, contents func(w io.Writer) error) (err error) {
	dir, name := filepath.Dir(path), filepath.Base(path)
	temporary := filepath.Join(dir, fmt.Sprintf(".%s.%08x.tmp", name, rand.Uint32()))
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(temporary)
		}
	}()
	if err := contents(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir brings a directory's names to the disk. Windows does this by itself and cannot be asked to.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" || runtime.GOOS == "js" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
