//go:build !((linux || darwin) && (amd64 || arm64))

package mpi

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/seed-49005b45/tarn/dist"
)

// Run calls f with a group of this process alone, or returns an error if a launcher has started it with others: MPI libraries are opened on Linux
// and macOS only.
func Run(f func(c dist.Comm) error) error {
	if dist.Launched(os.Getenv).Size > 1 {
		return fmt.Errorf("mpi: MPI libraries cannot be opened on %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	return f(dist.Single())
}

// ErrAgreed marks an error that f returns on all ranks.
var ErrAgreed = errors.New("mpi: all ranks have this error")
