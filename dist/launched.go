package dist

import "strconv"

// This file finds out by the environment who has started the process.

// Launcher is what has started a process as one of several.
type Launcher struct {
	Name       string // "" if it is none that is known
	Rank, Size int    // the rank of the process, and how many there are
	Local      int    // how many there are on this host, 0 if that is not known
}

// Launchers that are known, with the environment variables that they set for each process.
const (
	OpenMPI = "mpirun of Open MPI"
	MPICH   = "mpiexec of MPICH or Intel MPI"
	Slurm   = "srun"
)

// Launched returns the launcher by what it has put into the environment, for example os.Getenv. A process that was started alone has Size 1.
func Launched(env func(name string) string) Launcher {
	for _, l := range []struct{ name, rank, size, local string }{
		{OpenMPI, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE"},
		{MPICH, "PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS"},
		{Slurm, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", ""},
	} {
		rank, err := strconv.Atoi(env(l.rank))
		size, bad := strconv.Atoi(env(l.size))
		if err != nil || bad != nil || rank < 0 || size < 1 || rank >= size {
			continue
		}
		local, _ := strconv.Atoi(env(l.local))
		return Launcher{l.name, rank, size, max(0, local)}
	}
	return Launcher{Size: 1}
}
