//go:build !unix

package file

// noWait is 0: there are no pipes with names in directories.
const noWait = 0
