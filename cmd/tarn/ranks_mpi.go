//go:build mpi

package main

import (
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/dist/mpi"
)

// connect calls f with the ranks that a launcher has started. An error with errAgreed is that of all ranks.
func connect(f func(c dist.Comm) error) error { return mpi.Run(f) }

var errAgreed = mpi.ErrAgreed
