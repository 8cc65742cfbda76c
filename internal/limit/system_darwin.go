package limit

import "golang.org/x/sys/unix"

// system returns the limits of the system. The heap uses used bytes.
func system(used int) []Limit {
	total, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return nil
	}
	return []Limit{{"the memory of this machine", clamp(total), used, 0}}
}
