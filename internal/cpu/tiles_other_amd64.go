//go:build amd64 && !linux

package cpu

import "errors"

// permitTiles refuses: other systems have other ways to ask.
func permitTiles() error { return errors.New("it is used on Linux only") }
