//go:build !linux

package pages

// take returns nil: other systems have large pages of their own accord or for administrators only.
func take(int) []byte { return nil }

func give([]byte) {}

func advise(uintptr, int, bool) {}

func quick() bool { return false }

func populates() bool { return false }

func populate(uintptr, int, bool) bool { return false }
