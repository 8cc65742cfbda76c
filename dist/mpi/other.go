//go:build !((linux || darwin) && (amd64 || arm64))

package mpi

import (
	"fmt"
	"runtime"

	"github.com/seed-49005b45/tarn/dist"
)

// Run calls f with a group of this process alone, or returns an error if a launcher has started it with others: MPI libraries are opened on Linux
// and macOS only.
func Run(f func(c dist.Comm) error) error {
	if _, size, ok := Launched(); ok && size > 1 {
		return fmt.Errorf("mpi: MPI libraries cannot be opened on %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	return f(dist.Single())
}
