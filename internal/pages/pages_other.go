//go:build !linux

package pages

import "unsafe"

// take returns nil: other systems have large pages of their own accord or for administrators only.
func take(int) []byte { return nil }

func give([]byte) {}

func advise(unsafe.Pointer, int, bool) bool { return false }

func quick() bool { return false }

func timed(touch func()) { touch() }
