//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package file

import (
	"errors"
	"os"
)

// lockFile says that there are no locks.
func lockFile(*os.File) error { return errors.ErrUnsupported }
