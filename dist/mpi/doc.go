// Package mpi connects the processes that an MPI launcher (mpirun, mpiexec, srun) has started. It opens the MPI library at run time, without cgo:
// Open MPI 4 and 5, MPICH 4 and 5, Intel MPI, and every library with the standard ABI of MPI 5. Which one is not configured but follows from the
// launcher. A process that no launcher has started is a group of its own and opens no library.
//
//	func main() {
//		err := mpi.Run(func(c dist.Comm) error {
//			loop.Shards = &train.Shards{Comm: c}
//			...
//		})
//	}
//
// A program that imports this package links the C library, also with CGO_ENABLED=0: the dynamic loader opens it. It works on Linux and macOS.
//
// The environment variable TARN_MPI is the file of the library to open, if it is not found.
package mpi
