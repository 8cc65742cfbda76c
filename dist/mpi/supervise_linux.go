//go:build amd64 || arm64

package mpi

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// This file holds the supervisor. A rank that is killed, or calls os.Exit, cannot say so, and launchers tell little: that of MPICH names no rank and takes
// an os.Exit(0) for success. So the process that the launcher has started runs the program once more, as a child, which is the rank, and
// waits. It says how the rank has ended, and ends with the same code, or with exitLost if the rank seemed to succeed and the others need it.

const (
	// noteVariable has the number of the pipe through which a rank tells its supervisor how it ends.
	noteVariable = "TARN_MPI_NOTE"
	exitLost     = 70
)

// supervise runs the rank and does not return, unless this process is the rank or no child can be started. Note is then what the rank calls
// before it ends.
func supervise(l launcher) (note func(ending)) {
	if number, err := strconv.Atoi(os.Getenv(noteVariable)); err == nil {
		os.Unsetenv(noteVariable) // the children of the rank are no ranks
		return func(e ending) { syscall.Write(number, []byte{byte(e)}) }
	}
	self, err := os.Executable()
	if err != nil {
		return func(ending) {}
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return func(ending) {}
	}
	unix.FcntlInt(uintptr(pipe[1]), unix.F_SETFD, 0) // the child gets it under its number, like the descriptors of the launcher
	runtime.LockOSThread()                           // the child dies with the thread
	rank := exec.Command(self, os.Args[1:]...)
	rank.Args[0] = os.Args[0]
	rank.Stdin, rank.Stdout, rank.Stderr = os.Stdin, os.Stdout, os.Stderr
	rank.Env = append(os.Environ(), fmt.Sprintf("%s=%d", noteVariable, pipe[1]))
	// In a group of its own it gets each signal once, from here.
	rank.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	asked := make(chan os.Signal, 8)
	signal.Notify(asked, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	if err := rank.Start(); err != nil {
		signal.Stop(asked)
		unix.Close(pipe[0])
		unix.Close(pipe[1])
		runtime.UnlockOSThread()
		return func(ending) {}
	}
	unix.Close(pipe[1])
	go func() {
		for s := range asked {
			rank.Process.Signal(s)
		}
	}()
	err = rank.Wait()
	code, how := 0, "ended with exit code 0 before the training was over: was os.Exit called?"
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		status := ended.Sys().(syscall.WaitStatus)
		if code, how = status.ExitStatus(), fmt.Sprintf("ended with exit code %d", status.ExitStatus()); status.Signaled() {
			code, how = 128+int(status.Signal()), fmt.Sprintf("was ended by signal %d (%v)", status.Signal(), status.Signal())
			if status.Signal() == syscall.SIGKILL {
				how += ": the kernel does so if the memory is used up"
			}
		}
	case err != nil:
		code, how = exitLost, err.Error()
	}
	socket := findHydra(l, os.Getenv)
	said := make([]byte, 1)
	switch n, _ := unix.Read(pipe[0], said); {
	case n == 1 && ending(said[0]) == inOrder:
		socket.finalize()
		os.Exit(code)
	case n == 0:
		host, _ := os.Hostname()
		fmt.Fprintf(os.Stderr, "rank %d on host %s %s\n", l.Rank, host, how)
		time.Sleep(forwarding)
	}
	if code == 0 {
		code = exitLost
	}
	socket.end(code)
	return nil
}
