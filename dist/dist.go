// Package dist connects the processes of a training that runs on several machines. It follows MPI, the message passing interface: the
// processes are ranks, numbered from 0, and talk in collectives, operations that all ranks call in the same order.
//
// Single is the communicator of one process and costs nothing. Package dist/mpi connects the processes that mpirun or srun has started, and
// dist/disttest runs ranks as goroutines, for tests. Package train takes a communicator in train.Shards.
package dist

import (
	"fmt"
	"os"
	"unsafe"
)

// Comm is a group of ranks that talk to each other. All methods but Rank, Size and Abort are collectives: each rank must call the same ones in
// the same order, with arguments of the same sizes, and a call may return only after all have called. One goroutine at a time may use a Comm.
//
// An error means that the group is of no use any more: a rank has ended, or the ranks were not in step. Slices of one call must not overlap,
// and belong to the Comm until it returns.
type Comm interface {
	// Rank returns the number of this process, from 0 to Size-1.
	Rank() int
	// Size returns the number of ranks.
	Size() int
	// AllReduce replaces x on each rank by the elementwise sum of the x of all ranks. The order of the sums is the implementation's: the bits of the
	// result are the same on all ranks, but may differ for another number of ranks. See Sum for a fixed order.
	AllReduce(x Buffer) error
	// ReduceScatter sums blocks. The x of each rank has Size blocks of the size of part; part of rank r becomes the sum of the blocks r of all.
	ReduceScatter(part, x Buffer) error
	// AllGather collects the part of each rank, all of one size, into all, in the order of the ranks.
	AllGather(all, part []byte) error
	// AllToAll sends block r of from to rank r. It becomes that rank's block s of to, s being the rank that sends.
	AllToAll(to, from []byte) error
	// Broadcast copies the x of rank root to the x of all others.
	Broadcast(x []byte, root int) error
	// Barrier returns when all ranks have called it.
	Barrier() error
	// Split returns the group of the ranks that pass the same color, in the order of key and, among equal keys, of Rank. Color is not negative.
	Split(color, key int) (Comm, error)
	// Abort ends all ranks with the exit code. Reason is printed with the number of the rank and its host. It does not return if the ranks are
	// processes.
	Abort(code int, reason string)
}

// Allocator is a Comm that has memory of its own for the arguments of collectives, for example memory that network adapters may register.
type Allocator interface {
	// Alloc returns n bytes that are zero. They are never freed.
	Alloc(n int) []byte
}

// Alloc returns n bytes for the arguments of collectives: those of the Allocator if c is one.
func Alloc(c Comm, n int) []byte {
	if a, ok := c.(Allocator); ok && n > 0 {
		return a.Alloc(n)
	}
	const line = 64 // of the cache, to which vector instructions want their operands aligned
	b := make([]byte, n+line)
	at := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (line - 1)
	return b[at : at+n : at+n]
}

// Type is the type of the numbers of a Buffer.
type Type uint8

// The types of numbers that can be summed.
const (
	F32 Type = iota
	F64
	I64
)

// Size returns the bytes of a number.
func (t Type) Size() int {
	if t == F32 {
		return 4
	}
	return 8
}

// Buffer is a slice of numbers.
type Buffer struct {
	Type  Type
	Bytes []byte
}

// Len returns the number of numbers.
func (b Buffer) Len() int { return len(b.Bytes) / b.Type.Size() }

// Number is a type of numbers that can be summed.
type Number interface{ float32 | float64 | int64 }

// Of returns a Buffer that shares the memory of x.
func Of[T Number](x []T) Buffer {
	b := Buffer{Bytes: Bytes(x)}
	switch any(T(0)).(type) {
	case float64:
		b.Type = F64
	case int64:
		b.Type = I64
	}
	return b
}

// Bytes returns the memory of x.
func Bytes[T Number](x []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(T(0))))
}

// Numbers returns the memory b as numbers. Its length is a multiple of their size, and it is aligned as memory of Alloc is.
func Numbers[T Number](b []byte) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(T(0))))
}

// RankError is an error that one rank of a group has reported to the others.
type RankError struct {
	Rank int
	Host string // or "" if it is not known
	Err  error
}

// Error names the rank and its host.
func (e *RankError) Error() string {
	if e.Host == "" {
		return fmt.Sprintf("dist: rank %d: %v", e.Rank, e.Err)
	}
	return fmt.Sprintf("dist: rank %d on host %s: %v", e.Rank, e.Host, e.Err)
}

// Unwrap returns what the rank has reported.
func (e *RankError) Unwrap() error { return e.Err }

// Single returns the communicator of one process.
func Single() Comm { return single{} }

type single struct{}

func (single) Rank() int                      { return 0 }
func (single) Size() int                      { return 1 }
func (single) AllReduce(Buffer) error         { return nil }
func (single) Barrier() error                 { return nil }
func (single) Split(int, int) (Comm, error)   { return single{}, nil }
func (single) AllToAll(to, from []byte) error { return copyAll("AllToAll", to, from) }
func (single) AllGather(all, part []byte) error {
	return copyAll("AllGather", all, part)
}

func (single) ReduceScatter(part, x Buffer) error {
	return copyAll("ReduceScatter", part.Bytes, x.Bytes)
}

func (single) Broadcast(x []byte, root int) error {
	if root != 0 {
		return fmt.Errorf("dist: Broadcast: there is no rank %d among 1", root)
	}
	return nil
}

func (single) Abort(code int, reason string) {
	fmt.Fprintln(os.Stderr, reason)
	os.Exit(code)
}

func copyAll(name string, to, from []byte) error {
	if len(to) != len(from) {
		return fmt.Errorf("dist: %s: a block of %d bytes and one of %d", name, len(to), len(from))
	}
	copy(to, from)
	return nil
}
