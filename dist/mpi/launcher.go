package mpi

import (
	"os"
	"path/filepath"
	"strconv"
)

// This file finds out who has started the process, and which files may be the library of that launcher.

// launcher is what the environment says of the process.
type launcher struct {
	name       string // "" if none has started it
	rank, size int
	files      []string // of libraries, the likeliest first
}

const libraryVariable = "TARN_MPI"

var (
	openFiles  = []string{"libmpi.so.40", "libmpi.so", "libmpi_abi.so.1", "libmpi.40.dylib", "libmpi.dylib"}
	mpichFiles = []string{"libmpi.so.12", "libmpich.so.12", "libmpi_abi.so.1", "libmpi.so", "libmpi.12.dylib", "libmpich.dylib"}
)

// launchers are the environment variables that launchers set for each process.
var launchers = []struct {
	name, rank, size string
	files            []string
}{
	{"mpirun of Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", openFiles},
	{"mpiexec of MPICH or Intel MPI", "PMI_RANK", "PMI_SIZE", mpichFiles},
	{"srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", append([]string{"libmpi.so.40"}, mpichFiles...)},
}

// Launched returns which rank of how many this process is, by the environment that an MPI launcher gives it, and whether there is one.
func Launched() (rank, size int, ok bool) {
	l := findLauncher(os.Getenv)
	return l.rank, l.size, l.name != ""
}

// findLauncher reads the environment.
func findLauncher(env func(string) string) launcher {
	for _, l := range launchers {
		rank, err := strconv.Atoi(env(l.rank))
		size, bad := strconv.Atoi(env(l.size))
		if err != nil || bad != nil || rank < 0 || size < 1 || rank >= size {
			continue
		}
		found := launcher{l.name, rank, size, nil}
		if file := env(libraryVariable); file != "" {
			found.files = []string{file}
			return found
		}
		for _, prefix := range []string{"OPAL_PREFIX", "I_MPI_ROOT", "MPI_HOME", "VIRTUAL_ENV"} {
			if dir := env(prefix); dir != "" {
				for _, file := range l.files {
					found.files = append(found.files, filepath.Join(dir, "lib", file), filepath.Join(dir, "lib", "release", file))
				}
			}
		}
		found.files = append(found.files, l.files...)
		return found
	}
	return launcher{size: 1}
}
