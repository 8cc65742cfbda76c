//go:build (linux || darwin) && (amd64 || arm64)

package mpi

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/seed-49005b45/tarn/dist"
)

// This file holds Run and the communicator.

// Run connects the processes that a launcher has started and calls f on each. If no launcher has started the process, f gets a group of one.
//
// All processes end together. If f panics, or a process cannot connect, Run ends all of them, and says which rank on which host and why. If f
// returns an error on some ranks only, these end the others. Run returns the error of f if all ranks return one.
//
// Call Run early in main. On Linux the process that the launcher has started runs the program once more, as a child that is the rank, and waits, so that it
// can say which rank has ended and how, if that is killed or calls os.Exit. What main does before Run, both do.
func Run(f func(c dist.Comm) error) error {
	l := findLauncher(os.Getenv)
	if l.Size == 1 {
		return f(dist.Single())
	}
	note := supervise(l)
	w, err := connect(l)
	if err != nil {
		note(inNeed) // the others wait in the library for all to begin
		return err
	}
	w.note = note
	defer func() {
		if p := recover(); p != nil {
			w.Abort(2, fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	err = f(w)
	// Nobody leaves before all are here: an error of one rank alone ends the others, who may wait for it.
	var mine *dist.RankError
	if err != nil && !errors.As(err, &mine) && !errors.Is(err, ErrAgreed) {
		w.Abort(1, err.Error())
	}
	if failed := w.Barrier(); failed != nil {
		return errors.Join(err, failed)
	}
	err = errors.Join(err, w.close())
	note(inOrder)
	if err != nil && w.rank > 0 {
		time.Sleep(forwarding) // launchers end all with the first that fails, and rank 0 has to say why
	}
	return err
}

// ending is how a rank ends, if it knows.
type ending byte

const (
	inOrder ending = 1 + iota // after the others have finished too
	inNeed                    // of the end of the others, and has said why, or will
)

// ErrAgreed marks an error that f returns on all ranks: with it, Run ends in order and returns the error. A *dist.RankError is taken for one too.
var ErrAgreed = errors.New("mpi: all ranks have this error")

// world is what all communicators of the process share.
type world struct {
	lib   *library
	host  string
	rank  int           // among all
	note  func(ending)  // tells the supervisor
	calls chan func()   // of the goroutine that may call the library if it does not serve any thread; else nil
	done  chan struct{} // of a call of it
}

// comm is a communicator.
type comm struct {
	*world
	mu         sync.Mutex
	handle     uintptr
	rank, size int
}

// connect opens and initializes the library.
func connect(l launcher) (*comm, error) {
	// UCX takes over SIGSEGV when it is loaded, unless told not to.
	for name, value := range map[string]string{"UCX_ERROR_SIGNALS": "", "UCX_HANDLE_ERRORS": "none"} {
		if _, set := os.LookupEnv(name); !set {
			os.Setenv(name, value)
		}
	}
	w := &world{done: make(chan struct{})}
	w.host, _ = os.Hostname()
	// The thread that initializes the library is kept for it: a library that serves one thread only gets all calls from there.
	calls, begun := make(chan func()), make(chan error)
	go func() {
		runtime.LockOSThread()
		restore := keepSignals()
		var err error
		if w.lib, err = open(l); err == nil {
			err = w.init(l)
		}
		restore()
		begun <- err
		for call := range calls {
			call()
			w.done <- struct{}{}
		}
	}()
	err := <-begun
	if err != nil && !errors.Is(err, errThreads) {
		return nil, err
	}
	if err != nil {
		w.calls = calls
	}
	c := &comm{world: w, handle: w.lib.world}
	if err := c.begin(); err != nil {
		return nil, err
	}
	if c.size != l.Size {
		return nil, fmt.Errorf("mpi: %s has started %d processes, and the library %s (%s) sees %d: it belongs to another launcher; start the program with that, or set %s to the file of the right library",
			l.Name, l.Size, w.lib.file, w.lib.version, c.size, libraryVariable)
	}
	w.rank = c.rank
	return c.duplicate() // so that nobody else in the process sends messages on it
}

// errThreads is that of a library that serves one thread only.
var errThreads = errors.New("the library serves one thread")

// init initializes the library.
func (w *world) init(l launcher) error {
	var flag, provided int32
	if err := w.lib.failure("MPI_Initialized", w.lib.initialized(&flag)); err != nil {
		return err
	}
	if flag != 0 {
		return errors.New("mpi: the library is initialized already")
	}
	if err := w.lib.failure("MPI_Init_thread", w.lib.initThread(nil, nil, w.lib.multiple, &provided)); err != nil {
		return err
	}
	if provided < w.lib.multiple {
		return errThreads
	}
	return nil
}

// call calls the library.
func (c *comm) call(name string, f func() int32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var code int32
	if c.calls == nil {
		code = f()
	} else {
		c.calls <- func() { code = f() }
		<-c.done
	}
	if code == 0 {
		return nil
	}
	return c.lib.failure(name, code)
}

// begin reads rank and size, and asks for errors instead of the end of the process.
func (c *comm) begin() error {
	var rank, size int32
	err := errors.Join(
		c.call("MPI_Comm_set_errhandler", func() int32 { return c.lib.onError(c.handle, c.lib.errorsReturn) }),
		c.call("MPI_Comm_rank", func() int32 { return c.lib.rank(c.handle, &rank) }),
		c.call("MPI_Comm_size", func() int32 { return c.lib.size(c.handle, &size) }))
	c.rank, c.size = int(rank), int(size)
	return err
}

func (c *comm) duplicate() (*comm, error) {
	d := &comm{world: c.world}
	if err := c.call("MPI_Comm_dup", func() int32 { return c.lib.dup(c.handle, &d.handle) }); err != nil {
		return nil, err
	}
	return d, d.begin()
}

// close ends the library.
func (c *comm) close() error {
	return c.call("MPI_Finalize", func() int32 { return c.lib.finalize() })
}

// Version names the library.
func (c *comm) Version() string {
	return fmt.Sprintf("%s (%s, binary interface of %s)", c.lib.version, c.lib.file, c.lib.abi.name)
}

// Rank returns the number of this process.
func (c *comm) Rank() int { return c.rank }

// Size returns the number of processes.
func (c *comm) Size() int { return c.size }

// mostAtOnce is the largest count of a call, which the library takes as 32 bits.
var mostAtOnce = 1 << 30

// pointer is the address of a slice's memory.
func pointer(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

// AllReduce sums in place.
func (c *comm) AllReduce(x dist.Buffer) error {
	width := x.Type.Size()
	for b := x.Bytes; ; {
		n := min(len(b)/width, mostAtOnce)
		err := c.call("MPI_Allreduce", func() int32 {
			return c.lib.allreduce(c.lib.inPlace, pointer(b), int32(n), c.lib.types[x.Type], c.lib.sum, c.handle)
		})
		if b = b[n*width:]; err != nil || len(b) == 0 {
			return err
		}
	}
}

// ReduceScatter sums blocks.
func (c *comm) ReduceScatter(part, x dist.Buffer) error {
	if len(x.Bytes) != c.size*len(part.Bytes) || x.Type != part.Type {
		return fmt.Errorf("mpi: ReduceScatter: %d bytes for %d parts of %d", len(x.Bytes), c.size, len(part.Bytes))
	}
	return c.pieces(part.Bytes, x.Bytes, x.Type.Size(), func(part, all []byte) error {
		return c.call("MPI_Reduce_scatter_block", func() int32 {
			return c.lib.reduceScatter(pointer(all), pointer(part), int32(len(part)/x.Type.Size()), c.lib.types[x.Type], c.lib.sum, c.handle)
		})
	}, gather)
}

// AllGather collects parts.
func (c *comm) AllGather(all, part []byte) error {
	if len(all) != c.size*len(part) {
		return fmt.Errorf("mpi: AllGather: %d bytes for %d parts of %d", len(all), c.size, len(part))
	}
	return c.pieces(part, all, 1, func(part, all []byte) error {
		return c.call("MPI_Allgather", func() int32 {
			return c.lib.allgather(pointer(part), int32(len(part)), c.lib.bytes, pointer(all), int32(len(part)), c.lib.bytes, c.handle)
		})
	}, scatter)
}

// AllToAll exchanges blocks.
func (c *comm) AllToAll(to, from []byte) error {
	if len(to) != len(from) || len(from)%c.size != 0 {
		return fmt.Errorf("mpi: AllToAll: %d bytes from and %d bytes to %d ranks", len(from), len(to), c.size)
	}
	exchange := func(to, from []byte) error {
		return c.call("MPI_Alltoall", func() int32 {
			n := int32(len(from) / c.size)
			return c.lib.alltoall(pointer(from), n, c.lib.bytes, pointer(to), n, c.lib.bytes, c.handle)
		})
	}
	block := len(from) / c.size
	if block <= mostAtOnce {
		return exchange(to, from)
	}
	for lo := 0; lo < block; lo += mostAtOnce {
		n := min(mostAtOnce, block-lo)
		sent, received := make([]byte, n*c.size), make([]byte, n*c.size)
		copyBlocks(sent, from, n, lo, block, gather)
		if err := exchange(received, sent); err != nil {
			return err
		}
		copyBlocks(received, to, n, lo, block, scatter)
	}
	return nil
}

// The directions of copyBlocks.
const (
	gather  = iota // from blocks into pieces
	scatter        // from pieces into blocks
)

// copyBlocks copies between pieces, of n bytes each, and what begins at lo in each block.
func copyBlocks(pieces, blocks []byte, n, lo, block, direction int) {
	for r := range len(pieces) / n {
		if direction == gather {
			copy(pieces[r*n:][:n], blocks[r*block+lo:])
		} else {
			copy(blocks[r*block+lo:][:n], pieces[r*n:])
		}
	}
}

// pieces calls do on a part and the blocks of all, at once if the library can count so far, or piece by piece.
func (c *comm) pieces(part, all []byte, width int, do func(part, all []byte) error, direction int) error {
	if len(part)/width <= mostAtOnce {
		return do(part, all)
	}
	for lo := 0; lo < len(part); lo += mostAtOnce * width {
		n := min(mostAtOnce*width, len(part)-lo)
		some := make([]byte, n*c.size)
		if direction == gather {
			copyBlocks(some, all, n, lo, len(part), gather)
		}
		if err := do(part[lo:lo+n], some); err != nil {
			return err
		}
		if direction == scatter {
			copyBlocks(some, all, n, lo, len(part), scatter)
		}
	}
	return nil
}

// Broadcast copies.
func (c *comm) Broadcast(x []byte, root int) error {
	for {
		n := min(len(x), mostAtOnce)
		err := c.call("MPI_Bcast", func() int32 { return c.lib.bcast(pointer(x), int32(n), c.lib.bytes, int32(root), c.handle) })
		if x = x[n:]; err != nil || len(x) == 0 {
			return err
		}
	}
}

// Barrier waits for all.
func (c *comm) Barrier() error {
	return c.call("MPI_Barrier", func() int32 { return c.lib.barrier(c.handle) })
}

// Split makes groups.
func (c *comm) Split(color, key int) (dist.Comm, error) {
	if color < 0 || int(int32(color)) != color || int(int32(key)) != key {
		return nil, fmt.Errorf("mpi: Split: color %d and key %d; the color should not be negative, and both fit into 32 bits", color, key)
	}
	d := &comm{world: c.world}
	if err := c.call("MPI_Comm_split", func() int32 { return c.lib.split(c.handle, int32(color), int32(key), &d.handle) }); err != nil {
		return nil, err
	}
	return d, d.begin()
}

// forwarding is how long a launcher gets to forward what was printed: when it ends the ranks, that of MPICH drops what it has not read.
const forwarding = 300 * time.Millisecond

// abortLimit is how long the library gets to end the process, which may be in any state. Then the process ends itself.
const abortLimit = 3 * time.Second

// Abort ends all processes. It does not wait for a call that another goroutine has begun.
func (c *comm) Abort(code int, reason string) {
	fmt.Fprintf(os.Stderr, "rank %d on host %s: %s\n", c.world.rank, c.host, reason)
	c.note(inNeed)
	time.Sleep(forwarding)
	time.AfterFunc(abortLimit, func() { os.Exit(code) })
	c.lib.abort(c.lib.world, int32(code))
	os.Exit(code)
}

// Alloc returns memory from outside of Go's heap: an adapter that has registered it may keep it, because it is never given back.
func (c *comm) Alloc(n int) []byte {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return make([]byte, n)
	}
	return b
}
