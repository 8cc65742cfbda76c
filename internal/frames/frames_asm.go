//go:build (linux || darwin) && (amd64 || arm64)

package frames

// read stores up to n return addresses. It returns true if it has stored n, or all that there are.
//
//go:noescape
func read(pcs *uintptr, n int) bool
