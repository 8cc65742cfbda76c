package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// This file holds what the commands that draw share.

// checkPicture refuses names that --plot cannot have, before the work is done; the empty one asks for no picture.
func checkPicture(name string) error {
	if name == "" {
		return nil
	}
	if !strings.EqualFold(filepath.Ext(name), ".png") {
		return fmt.Errorf("--plot is %q and should be the name of a PNG file, such as picture.png", name)
	}
	if folder := filepath.Dir(name); !isFolder(folder) {
		return fmt.Errorf("--plot is %q, and there is no folder %s: make it first", name, folder)
	}
	if isFolder(name) {
		return fmt.Errorf("--plot is %q, which is a folder", name)
	}
	return nil
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// writeWhole writes a file that is there whole or not at all: under another name beside it, which then becomes its own.
func writeWhole(path string, write func(w io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".tarn-*.png")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = errors.Join(write(f), f.Chmod(0o644), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
