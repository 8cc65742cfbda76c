//go:build !mpi

package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/seed-49005b45/tarn/dist"
)

// connect calls f with this process alone. It refuses to be one of several, which would all do the same.
func connect(f func(c dist.Comm) error) error {
	if l := dist.Launched(os.Getenv); l.Size > 1 {
		if l.Rank > 0 { // one message is enough
			os.Exit(exitFailure)
		}
		return fmt.Errorf("this is process %d of %d that %s has started, and this tarn was built without MPI: build it with go install -tags mpi ./cmd/tarn", l.Rank, l.Size, l.Name)
	}
	return f(dist.Single())
}

var errAgreed = errors.New("all ranks have this error")
