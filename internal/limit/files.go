package limit

import (
	"bytes"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// This file finds the limits of a Linux system in its files. It builds everywhere, so that its tests run everywhere.

// groups returns the least memory limit of the control groups that the process is in, of version 1 and 2, and of those around them. root
// is the file system's root.
func groups(root fs.FS) (least int, ok bool) {
	list, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	least = math.MaxInt
	see := func(mounts []string, group, file string) {
		for {
			for _, mount := range mounts {
				if n, known := number(root, path.Join(mount, group, file)); known {
					least = min(least, n)
				}
			}
			if group == "/" || group == "." {
				return
			}
			group = path.Dir(group)
		}
	}
	for line := range strings.Lines(string(list)) {
		// number:controllers:group
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 || !strings.HasPrefix(parts[2], "/") {
			continue
		}
		group := path.Clean(parts[2])
		if parts[1] == "" {
			see([]string{"sys/fs/cgroup", "sys/fs/cgroup/unified"}, group, "memory.max")
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			if controller == "memory" {
				see([]string{"sys/fs/cgroup/memory", "sys/fs/cgroup"}, group, "memory.limit_in_bytes")
			}
		}
	}
	return least, least < math.MaxInt
}

// number reads a file that holds a number, or a word for none.
func number(root fs.FS, name string) (n int, ok bool) {
	content, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err = strconv.Atoi(string(bytes.TrimSpace(content)))
	return n, err == nil && n >= 0
}

// mapped returns the bytes that the process has mapped, and those of them that are data, which two of its limits bound.
func mapped(root fs.FS, page int) (space, data int, ok bool) {
	content, err := fs.ReadFile(root, "proc/self/statm")
	if err != nil {
		return 0, 0, false
	}
	fields := strings.Fields(string(content))
	if len(fields) < 6 {
		return 0, 0, false
	}
	space, err = strconv.Atoi(fields[0])
	if err != nil {
		return 0, 0, false
	}
	data, err = strconv.Atoi(fields[5])
	return page * space, page * data, err == nil
}

// process holds the limits that the kernel sets a single process, math.MaxInt for none.
type process struct{ space, data int }

// arena is the piece in which Go takes addresses from the system.
const arena = 64 << 20

// fromFiles puts together the limits of a Linux system with so much memory, of which the heap uses some and has some idle.
func fromFiles(root fs.FS, page, total int, limits process, used, idle int) []Limit {
	all := []Limit{{"the memory of this machine", total, used, 0}}
	if n, ok := groups(root); ok {
		all = append(all, Limit{"the memory limit of the control group", n, used, 0})
	}
	if space, data, ok := mapped(root, page); ok {
		if limits.space < math.MaxInt {
			all = append(all, Limit{"the limit of address space (ulimit -v)", limits.space, max(0, space-idle), arena})
		}
		if limits.data < math.MaxInt {
			all = append(all, Limit{"the limit of data (ulimit -d)", limits.data, max(0, data-idle), arena})
		}
	}
	return all
}
