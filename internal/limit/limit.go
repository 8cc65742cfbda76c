// Package limit tells whether the process may have more memory. Go ends a process whose allocation fails, so what is large is asked for
// here first. What the system does not tell bounds nothing.
package limit

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/seed-49005b45/tarn/internal/pages"
)

// Variable is the environment variable that takes the place of all limits of the system: off for none, or a size such as 8GiB.
const Variable = "TARN_MEMORY"

// Limit bounds the memory of the process.
type Limit struct {
	Name  string // as in "the memory of this machine"
	Bytes int
	Used  int // what the process has of it
	Spare int // what cannot be used of it besides
}

// Error is the error of an allocation that would be too large.
type Error struct {
	Need  int
	Limit Limit
}

// Error says how much is needed, in use and allowed.
func (e *Error) Error() string {
	if e.Limit.Name == "" {
		return fmt.Sprintf("%s are needed, more than any machine has", Size(e.Need))
	}
	return fmt.Sprintf("%s are needed and %s are in use, but %s is %s", Size(e.Need), Size(e.Limit.Used), e.Limit.Name, Size(e.Limit.Bytes))
}

// Hint says what to do.
const Hint = "make it smaller, raise the limit, or set " + Variable + "=off to try anyway"

// ReadHint says what to do if a file is too large.
const ReadHint = "read it where there is more memory, raise the limit, or set " + Variable + "=off to try anyway"

// Impossible is the error of an allocation of more bytes than an address can count.
func Impossible(bytes int) *Error { return &Error{Need: bytes} }

// often is the number of bytes after which limits are looked at again: small allocations are let pass until they add up to it.
const often = 16 << 20

var unchecked atomic.Int64

// Check returns an error if the process may not allocate that many bytes more. What is garbage by now does not count as in use.
func Check(bytes int) *Error {
	if bytes > math.MaxInt/4 {
		return Impossible(bytes)
	}
	if bytes < often && unchecked.Add(int64(bytes)) < often {
		return nil
	}
	unchecked.Store(0)
	return check(bytes, limits, inUse, pages.Collect)
}

// check finds the limit that is exceeded by most, and collects garbage if that can help: it begins threads, which fail if there is no
// memory for them.
func check(bytes int, limits func() []Limit, heap func() int, collect func()) *Error {
	e := exceeded(bytes, limits())
	if e == nil || bytes-e.Limit.Left() > heap() {
		return e
	}
	collect()
	return exceeded(bytes, limits())
}

func exceeded(bytes int, limits []Limit) (e *Error) {
	worst := 0
	for _, l := range limits {
		if over := bytes - (l.Bytes - l.Used - l.Spare); over > worst {
			worst, e = over, &Error{bytes, l}
		}
	}
	return e
}

// Tightest is the limit of the process that leaves it the least, or false if there is none.
func Tightest() (least Limit, ok bool) {
	for i, l := range limits() {
		if i == 0 || l.Left() < least.Left() {
			least, ok = l, true
		}
	}
	return least, ok
}

// Left is the number of bytes that the process may have more.
func (l Limit) Left() int { return l.Bytes - l.Used - l.Spare }

// limits are the limits that hold now.
func limits() []Limit {
	used := inUse()
	if word, limit, err := override(); word != "" && err == nil {
		if limit == math.MaxInt {
			return nil
		}
		return []Limit{{Variable, limit, used, 0}}
	}
	all := system(used)
	if soft := debug.SetMemoryLimit(-1); soft < math.MaxInt64 {
		all = append(all, Limit{"GOMEMLIMIT", int(soft), used, 0})
	}
	return all
}

// override is the setting of Variable, as it is and as a number of bytes.
func override() (word string, bytes int, err error) {
	word = strings.TrimSpace(os.Getenv(Variable))
	if word == "" || word == "off" {
		return word, math.MaxInt, nil
	}
	number, shift := word, 0
	for i, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if before, ok := strings.CutSuffix(word, unit); ok {
			number, shift = before, 10*(i+1)
		}
	}
	if shift == 0 {
		number = strings.TrimSuffix(word, "B")
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt>>shift {
		return word, 0, fmt.Errorf("%s is %q; it takes off, or a size such as 512MiB or 8GiB", Variable, word)
	}
	return word, int(n) << shift, nil
}

// EnvError says what is wrong with the setting of Variable, or nil. A wrong setting counts as none.
func EnvError() error {
	_, _, err := override()
	return err
}

// inUse is the number of bytes that the Go heap and the runtime have in use, with garbage that has not been collected, and programs outside of it.
func inUse() int {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return int(samples[0].Value.Uint64()-samples[1].Value.Uint64()-samples[2].Value.Uint64()) + pages.InUse()
}

// idle is the number of bytes that the heap has mapped and does not use.
func idle() int {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return int(samples[0].Value.Uint64() + samples[1].Value.Uint64())
}

// Size prints a number of bytes as in "1.5 GiB".
func Size(bytes int) string {
	if bytes < 1<<10 {
		return fmt.Sprintf("%d B", bytes)
	}
	x, unit := float64(bytes), -1
	for x >= 1023.95 && unit < 5 {
		x /= 1 << 10
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", x, "KMGTPE"[unit])
}

// clamp is n as an int, the largest one if n is larger.
func clamp(n uint64) int { return int(min(n, math.MaxInt)) }
