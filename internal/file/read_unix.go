//go:build unix

package file

import "syscall"

// noWait opens a pipe without waiting for its other end, and a terminal without making it the process's own.
const noWait = syscall.O_NONBLOCK | syscall.O_NOCTTY
