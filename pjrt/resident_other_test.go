//go:build !linux

package pjrt_test

import "testing"

// resident skips the test.
func resident(t *testing.T) int {
	t.Skip("the memory of a process is read on Linux alone")
	return 0
}
