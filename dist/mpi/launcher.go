package mpi

import (
	"path/filepath"

	"github.com/seed-49005b45/tarn/dist"
)

// This file says which files may be the library of a launcher.

// launcher is who has started the process.
type launcher struct {
	dist.Launcher
	files []string // of libraries, the likeliest first
}

const libraryVariable = "TARN_MPI"

var (
	openFiles  = []string{"libmpi.so.40", "libmpi.so", "libmpi_abi.so.1", "libmpi.40.dylib", "libmpi.dylib"}
	mpichFiles = []string{"libmpi.so.12", "libmpich.so.12", "libmpi_abi.so.1", "libmpi.so", "libmpi.12.dylib", "libmpich.dylib"}
	filesOf    = map[string][]string{dist.OpenMPI: openFiles, dist.MPICH: mpichFiles, dist.Slurm: append([]string{"libmpi.so.40"}, mpichFiles...)}
)

// findLauncher reads the environment.
func findLauncher(env func(string) string) launcher {
	l := launcher{Launcher: dist.Launched(env)}
	if file := env(libraryVariable); file != "" {
		l.files = []string{file}
		return l
	}
	files := filesOf[l.Name]
	for _, prefix := range []string{"OPAL_PREFIX", "I_MPI_ROOT", "MPI_HOME", "VIRTUAL_ENV"} {
		if dir := env(prefix); dir != "" {
			for _, file := range files {
				l.files = append(l.files, filepath.Join(dir, "lib", file), filepath.Join(dir, "lib", "release", file))
			}
		}
	}
	l.files = append(l.files, files...)
	return l
}
