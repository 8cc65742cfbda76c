package main

import (
	"fmt"
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
