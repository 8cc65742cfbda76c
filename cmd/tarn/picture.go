package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-49005b45/tarn/internal/file"
)

// This file holds what the commands that draw have in common.

// checkPicture returns an error for a name that --plot cannot write, before the work is done; an empty name asks for no picture.
func checkPicture(name string) error {
	if name == "" {
		return nil
	}
	if !strings.EqualFold(filepath.Ext(name), ".png") {
		return fmt.Errorf("--plot is %q and should be the name of a PNG file, such as picture.png", name)
	}
	if err := free(name, true); err != nil {
		return fmt.Errorf("--plot %s: %w", file.Name(name), err)
	}
	return nil
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}
