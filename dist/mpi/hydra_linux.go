//go:build amd64 || arm64

package mpi

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed-49005b45/tarn/dist"
)

// This file speaks with Hydra, the launcher of MPICH and Intel MPI, by the protocol PMI-1: lines over a socket that a rank inherits. Hydra needs two
// lines that the libraries do not send for a Go program:
//
//   - At the end it wants "finalize". MPICH 5 sends it from an exit handler of C, which Go does not run. Without it Hydra takes the end for a crash, and
//     kills the other ranks, also those that have finished.
//   - If a process ends with an exit code, Hydra ends the others only if it sees the closed socket before it asks for the exit code, which is up to chance.
//     So the supervisor asks for the end of all with "abort".

// hydra is the socket, or -1 for other launchers.
type hydra int

const (
	answerLimit = 5 * time.Second // for an answer
	endLimit    = 2 * time.Second // for the end after an abort
)

// findHydra returns the socket that the environment names. The socket of srun has another protocol; srun does not tell the number of ranks on the host.
func findHydra(l launcher, env func(string) string) hydra {
	fd, err := strconv.Atoi(env("PMI_FD"))
	if err != nil || fd < 0 || l.Name != dist.MPICH || l.Local == 0 {
		return -1
	}
	return hydra(fd)
}

// finalize says that the rank has ended in order, and waits until Hydra knows it. If the library has said so itself, Hydra has closed the socket, and nothing happens.
func (h hydra) finalize() {
	if h < 0 || syscall.Sendto(int(h), []byte("cmd=finalize\n"), unix.MSG_NOSIGNAL, nil) != nil {
		return
	}
	limit := unix.NsecToTimeval(answerLimit.Nanoseconds())
	if unix.SetsockoptTimeval(int(h), unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit) == nil {
		unix.Read(int(h), make([]byte, 256))
	}
}

// end ends the process with a code, and lets Hydra end the others.
func (h hydra) end(code int) {
	if h >= 0 {
		syscall.Sendto(int(h), fmt.Appendf(nil, "cmd=abort exitcode=%d\n", code), unix.MSG_NOSIGNAL, nil)
		time.Sleep(endLimit)
		syscall.Kill(os.Getpid(), syscall.SIGKILL) // a signal is what Hydra ends the others for in any case
	}
	os.Exit(code)
}
