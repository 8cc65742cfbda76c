package limit

import (
	"math"
	"strings"
	"testing"
	"testing/fstest"
)

const gib = 1 << 30

// TestCheck decides over amounts, with limits injected.
func TestCheck(t *testing.T) {
	machine := func(bytes, used int) Limit { return Limit{"the memory of this machine", bytes, used, 0} }
	for _, tt := range []struct {
		name          string
		bytes         int
		before, after []Limit // the collection of garbage
		want          string  // "" for allowed
		heap          int
		collected     bool
	}{
		{"no limit", math.MaxInt / 8, nil, nil, "", 7 * gib, false},
		{"fits", gib, []Limit{machine(8*gib, 7*gib)}, nil, "", 7 * gib, false},
		{"one byte too many", gib + 1, []Limit{machine(8*gib, 7*gib)}, []Limit{machine(8*gib, 7*gib)}, "1.0 GiB are needed and 7.0 GiB are in use, but the memory of this machine is 8.0 GiB", 7 * gib, true},
		{"fits without garbage", 2 * gib, []Limit{machine(8*gib, 7*gib)}, []Limit{machine(8*gib, gib)}, "", 7 * gib, true},
		{"fits never", 9 * gib, []Limit{machine(8*gib, gib)}, nil, "9.0 GiB are needed and 1.0 GiB are in use", gib, false},
		{"the tighter of two", gib, []Limit{machine(8*gib, gib), {"the group", gib, gib / 2, 0}}, []Limit{machine(8*gib, gib), {"the group", gib, gib / 2, 0}}, "but the group is 1.0 GiB", 7 * gib, true},
		{"some to spare", gib, []Limit{{"space", 2 * gib, gib, 1}}, []Limit{{"space", 2 * gib, gib, 1}}, "but space is 2.0 GiB", 7 * gib, true},
		{"what is mapped is not the heap", gib, []Limit{{"space", 8 * gib, 8 * gib, 0}}, nil, "but space is 8.0 GiB", gib - 1, false},
		{"nothing", 0, []Limit{machine(gib, gib)}, nil, "", 7 * gib, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now, collected := tt.before, false
			err := check(tt.bytes, func() []Limit { return now }, func() int { return tt.heap }, func() { now, collected = tt.after, true })
			if got := ""; err != nil {
				got = err.Error()
				if tt.want == "" || !strings.Contains(got, tt.want) {
					t.Errorf("the error is %q, want %q", got, tt.want)
				}
			} else if tt.want != "" {
				t.Errorf("there is no error, want %q", tt.want)
			}
			if collected != tt.collected {
				t.Errorf("garbage was collected: %t", collected)
			}
		})
	}
}

// TestFromFiles finds the limits of Linux systems in their files.
func TestFromFiles(t *testing.T) {
	none := process{math.MaxInt, math.MaxInt}
	type files map[string]string
	statm := "262144 100 10 1 0 131072 0\n" // 1 GiB mapped, half of it data
	for _, tt := range []struct {
		name   string
		files  files
		limits process
		want   []Limit // beside the machine's
	}{
		{"nothing", files{}, process{gib, gib}, nil},
		{"version 2", files{"proc/self/cgroup": "0::/user/job\n", "sys/fs/cgroup/user/job/memory.max": "1073741824\n"}, none, []Limit{{"the memory limit of the control group", gib, 7, 0}}},
		{"of a group around it", files{"proc/self/cgroup": "0::/user/job\n", "sys/fs/cgroup/user/job/memory.max": "max\n", "sys/fs/cgroup/user/memory.max": "1073741824\n"}, none, []Limit{{"the memory limit of the control group", gib, 7, 0}}},
		{"the least", files{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "2147483648\n", "sys/fs/cgroup/a/memory.max": "1073741824\n"}, none, []Limit{{"the memory limit of the control group", gib, 7, 0}}},
		{"none set", files{"proc/self/cgroup": "0::/user\n", "sys/fs/cgroup/user/memory.max": "max\n"}, none, nil},
		{"a container, version 2", files{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1073741824"}, none, []Limit{{"the memory limit of the control group", gib, 7, 0}}},
		{"version 1", files{"proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/job\n0::/\n", "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "1073741824\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, none, []Limit{{"the memory limit of the control group", gib, 7, 0}}},
		{"a container, version 1", files{"proc/self/cgroup": "4:memory:/docker/0a1b\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824\n"}, none, []Limit{{"the memory limit of the control group", gib, 7, 0}}},
		{"version 2 beside 1", files{"proc/self/cgroup": "1:name=systemd:/a\n0::/a\n", "sys/fs/cgroup/unified/a/memory.max": "1073741824\n"}, none, []Limit{{"the memory limit of the control group", gib, 7, 0}}},
		{"a colon in the name", files{"proc/self/cgroup": "0::/a:b\n", "sys/fs/cgroup/a:b/memory.max": "1073741824\n"}, none, []Limit{{"the memory limit of the control group", gib, 7, 0}}},
		{"nonsense", files{"proc/self/cgroup": "x\n0::../..\n::\n3:memory:/a", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "many", "proc/self/statm": "1 2"}, process{gib, gib}, nil},
		{"address space", files{"proc/self/statm": statm}, process{4 * gib, math.MaxInt}, []Limit{{"the limit of address space (ulimit -v)", 4 * gib, gib - 5, arena}}},
		{"data", files{"proc/self/statm": statm}, process{math.MaxInt, 4 * gib}, []Limit{{"the limit of data (ulimit -d)", 4 * gib, gib/2 - 5, arena}}},
		{"no such limits", files{"proc/self/statm": statm}, none, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, content := range tt.files {
				root[name] = &fstest.MapFile{Data: []byte(content)}
			}
			got := fromFiles(root, 4096, 16*gib, tt.limits, 7, 5)
			want := append([]Limit{{"the memory of this machine", 16 * gib, 7, 0}}, tt.want...)
			if len(got) != len(want) {
				t.Fatalf("got %v, want %v", got, want)
			}
			for i := range got {
				if got[i] != want[i] {
					t.Errorf("got %v, want %v", got[i], want[i])
				}
			}
		})
	}
}

// TestSystem checks that this system's limits make sense.
func TestSystem(t *testing.T) {
	used := inUse()
	if used < 1<<16 || used > 1<<40 {
		t.Errorf("%d bytes are in use", used)
	}
	for _, l := range system(used) {
		if l.Bytes < 1<<24 || l.Used < 0 || l.Name == "" {
			t.Errorf("a limit is %+v", l)
		}
	}
}

func TestSize(t *testing.T) {
	for bytes, want := range map[int]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1<<20 - 1: "1.0 MiB", 5 << 30: "5.0 GiB", 1 << 44: "16.0 TiB", math.MaxInt: "8.0 EiB"} {
		if got := Size(bytes); got != want {
			t.Errorf("Size(%d) is %q, want %q", bytes, got, want)
		}
	}
}

func TestTightest(t *testing.T) {
	t.Setenv(Variable, "1GiB")
	if l, ok := Tightest(); !ok || l.Name != Variable || l.Bytes != 1<<30 || l.Left() != l.Bytes-l.Used-l.Spare {
		t.Errorf("with a setting the tightest limit is %+v, %v", l, ok)
	}
	t.Setenv(Variable, "off")
	if l, ok := Tightest(); ok {
		t.Errorf("without limits the tightest is %+v", l)
	}
}
