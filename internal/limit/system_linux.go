package limit

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// system returns the limits of the system. The heap uses used bytes.
func system(used int) []Limit {
	var info unix.Sysinfo_t
	total := uint64(math.MaxInt)
	if unix.Sysinfo(&info) == nil {
		total = uint64(info.Totalram) * uint64(max(1, info.Unit))
	}
	limits := process{resource(unix.RLIMIT_AS), resource(unix.RLIMIT_DATA)}
	return fromFiles(os.DirFS("/"), os.Getpagesize(), clamp(total), limits, used, idle())
}

func resource(which int) int {
	var r unix.Rlimit
	if unix.Getrlimit(which, &r) != nil {
		return math.MaxInt
	}
	return clamp(uint64(r.Cur))
}
