package pool

import "syscall"

// fastCores is the number of performance cores, or 0 if the system does not tell.
func fastCores() int {
	n, err := syscall.SysctlUint32("hw.perflevel0.logicalcpu")
	if err != nil {
		return 0
	}
	return int(n)
}
