// Package disttest runs ranks as goroutines of one process, for tests and to learn. The ranks may be slow or die by a seed.
package disttest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-49005b45/tarn/dist"
)

// Options say what befalls the ranks. The zero value is nothing.
type Options struct {
	Seed  uint64        // of the delays
	Delay time.Duration // each call of a rank begins later, by a random time of at most this
	// Network makes each call last as long as over that network.
	Network *dist.Network
	// Die returns whether a rank dies in its given call, counted from 0.
	Die func(rank, call int) bool
}

// ErrDied is the error of a call in which a rank dies by Options.Die, and what other ranks are told of it.
var ErrDied = errors.New("the rank has died")

// Run calls f once for each rank, at the same time, and returns their errors when all have returned. A rank whose f returns, or panics, is gone:
// calls of others that wait for it return an error. A panic becomes an error.
func Run(size int, o Options, f func(c dist.Comm) error) []error {
	members := make([]int, size)
	for r := range members {
		members[r] = r
	}
	w := newWorld(members)
	errs := make([]error, size)
	var all sync.WaitGroup
	for r := range size {
		all.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					errs[r] = fmt.Errorf("panic: %v", p)
				}
				if errs[r] == nil {
					w.leave(r, errReturned)
				} else {
					w.leave(r, errs[r])
				}
			}()
			errs[r] = f(&comm{world: w, rank: r, options: &o, calls: new(int), random: rand.New(rand.NewPCG(o.Seed, uint64(r))), top: w, number: r})
		})
	}
	all.Wait()
	return errs
}

// world is a group of ranks.
type world struct {
	members  []int // their ranks in the group of all
	mu       sync.Mutex
	changed  sync.Cond
	arrived  int
	turn     int // meetings completed
	slots    []call
	gone     *dist.RankError
	groups   map[[2]int]*world // by turn and color
	children []*world
}

// call is what a rank brings to a meeting.
type call struct {
	name       string
	bytes      int // that must be equal on all ranks
	in         []byte
	color, key int
	took       float64 // seconds over the network of Options
}

func newWorld(members []int) *world {
	w := &world{members: members, slots: make([]call, len(members)), groups: map[[2]int]*world{}}
	w.changed.L = &w.mu
	return w
}

// errReturned is the reason of a rank that is gone and has done all that it had to.
var errReturned = errors.New("the rank has returned")

// leave makes all calls that wait for a rank, now or later, fail, and unless it has returned those of all groups.
func (w *world) leave(rank int, reason error) {
	if reason == errReturned && !slices.Contains(w.members, rank) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone == nil {
		w.gone = &dist.RankError{Rank: rank, Err: reason}
	}
	w.changed.Broadcast()
	for _, c := range w.children {
		c.leave(rank, reason)
	}
}

// meet waits until all ranks have come, with a call unless c is nil.
func (w *world) meet(rank int, c *call) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone != nil {
		return w.gone
	}
	if c != nil {
		w.slots[rank] = *c
	}
	turn := w.turn
	if w.arrived++; w.arrived == len(w.slots) {
		w.arrived = 0
		w.turn++
		w.changed.Broadcast()
	}
	for w.turn == turn {
		if w.gone != nil {
			return w.gone
		}
		w.changed.Wait()
	}
	return nil
}

// comm is a rank in a group.
type comm struct {
	world   *world
	rank    int
	options *Options
	calls   *int
	random  *rand.Rand
	top     *world // the group of all
	number  int    // the rank in it
}

func (c *comm) Rank() int { return c.rank }
func (c *comm) Size() int { return len(c.world.slots) }

// collective brings all ranks together twice: before do, which may read what they have brought, and after it.
func (c *comm) collective(mine call, do func(all []call)) error {
	n := *c.calls
	*c.calls++
	if network := c.options.Network; network != nil && c.Size() > 1 {
		mine.took = over(network, mine.name, c.Size(), mine.bytes)
	}
	if d := c.options.Delay; d > 0 {
		time.Sleep(time.Duration(c.random.Int64N(int64(d))))
	}
	if c.options.Die != nil && c.options.Die(c.number, n) {
		c.top.leave(c.number, ErrDied)
		return ErrDied
	}
	if err := c.world.meet(c.rank, &mine); err != nil {
		return err
	}
	time.Sleep(time.Duration(mine.took * 1e9))
	all := c.world.slots // which nobody writes until all are here again
	var wrong error
	for r, other := range all {
		if first := all[0]; other.name != first.name || other.bytes != first.bytes {
			wrong = fmt.Errorf("disttest: the ranks are out of step: rank 0 calls %s of %d bytes, and rank %d %s of %d bytes", first.name, first.bytes, r, other.name, other.bytes)
			break
		}
	}
	if wrong == nil {
		do(all)
	}
	if err := c.world.meet(c.rank, nil); err != nil {
		return err
	}
	return wrong
}

// over returns how long a collective takes over a network.
func over(n *dist.Network, name string, ranks, bytes int) float64 {
	switch {
	case name == "AllToAll":
		return n.AllToAll(ranks, bytes/ranks)
	case name == "AllGather":
		return n.AllGather(ranks, bytes)
	case strings.HasPrefix(name, "AllReduce"):
		return n.AllToAll(ranks, bytes/ranks) + n.AllGather(ranks, bytes/ranks)
	case strings.HasPrefix(name, "ReduceScatter"):
		return n.AllToAll(ranks, bytes/ranks)
	}
	return n.AllGather(2, bytes) // one message
}

// AllReduce sums in the order of the ranks.
func (c *comm) AllReduce(x dist.Buffer) error {
	sum := make([]byte, len(x.Bytes))
	err := c.collective(call{name: fmt.Sprint("AllReduce of type ", x.Type), bytes: len(x.Bytes), in: x.Bytes}, func(all []call) {
		for _, other := range all {
			addTo(x.Type, sum, other.in)
		}
	})
	if err == nil {
		copy(x.Bytes, sum)
	}
	return err
}

// addTo adds numbers.
func addTo(t dist.Type, sum, x []byte) {
	switch t {
	case dist.F32:
		add(dist.Numbers[float32](sum), dist.Numbers[float32](x))
	case dist.F64:
		add(dist.Numbers[float64](sum), dist.Numbers[float64](x))
	default:
		add(dist.Numbers[int64](sum), dist.Numbers[int64](x))
	}
}

func add[T dist.Number](sum, x []T) {
	for i := range sum {
		sum[i] += x[i]
	}
}

// ReduceScatter sums in the order of the ranks.
func (c *comm) ReduceScatter(part, x dist.Buffer) error {
	if len(x.Bytes) != c.Size()*len(part.Bytes) || x.Type != part.Type {
		return fmt.Errorf("disttest: ReduceScatter: %d bytes for %d parts of %d", len(x.Bytes), c.Size(), len(part.Bytes))
	}
	n := len(part.Bytes)
	return c.collective(call{name: fmt.Sprint("ReduceScatter of type ", x.Type), bytes: len(x.Bytes), in: x.Bytes}, func(all []call) {
		clear(part.Bytes)
		for _, other := range all {
			addTo(part.Type, part.Bytes, other.in[c.rank*n:][:n])
		}
	})
}

// AllGather copies.
func (c *comm) AllGather(all, part []byte) error {
	if len(all) != c.Size()*len(part) {
		return fmt.Errorf("disttest: AllGather: %d bytes for %d parts of %d", len(all), c.Size(), len(part))
	}
	return c.collective(call{name: "AllGather", bytes: len(part), in: part}, func(ranks []call) {
		for r, other := range ranks {
			copy(all[r*len(part):], other.in)
		}
	})
}

// AllToAll copies.
func (c *comm) AllToAll(to, from []byte) error {
	if len(to) != len(from) || len(from)%c.Size() != 0 {
		return fmt.Errorf("disttest: AllToAll: %d bytes from and %d bytes to %d ranks", len(from), len(to), c.Size())
	}
	n := len(from) / c.Size()
	return c.collective(call{name: "AllToAll", bytes: len(from), in: from}, func(ranks []call) {
		for r, other := range ranks {
			copy(to[r*n:], other.in[c.rank*n:][:n])
		}
	})
}

// Broadcast copies.
func (c *comm) Broadcast(x []byte, root int) error {
	if root < 0 || root >= c.Size() {
		return fmt.Errorf("disttest: Broadcast: there is no rank %d among %d", root, c.Size())
	}
	return c.collective(call{name: fmt.Sprint("Broadcast from rank ", root), bytes: len(x), in: x}, func(all []call) {
		if root != c.rank {
			copy(x, all[root].in)
		}
	})
}

// Barrier waits.
func (c *comm) Barrier() error { return c.collective(call{name: "Barrier"}, func([]call) {}) }

// Split makes groups.
func (c *comm) Split(color, key int) (dist.Comm, error) {
	if color < 0 {
		return nil, fmt.Errorf("disttest: Split: the color %d is negative", color)
	}
	child := *c
	err := c.collective(call{name: "Split", color: color, key: key}, func(all []call) {
		var members []int
		for r, other := range all {
			if other.color == color {
				members = append(members, r)
			}
		}
		slices.SortStableFunc(members, func(a, b int) int { return all[a].key - all[b].key })
		child.rank = slices.Index(members, c.rank)
		w := c.world
		w.mu.Lock()
		defer w.mu.Unlock()
		id := [2]int{w.turn, color}
		if w.groups[id] == nil {
			numbers := make([]int, len(members))
			for i, r := range members {
				numbers[i] = w.members[r]
			}
			w.groups[id] = newWorld(numbers)
			w.children = append(w.children, w.groups[id])
		}
		child.world = w.groups[id]
	})
	return &child, err
}

// Abort makes all calls of all ranks fail.
func (c *comm) Abort(code int, reason string) {
	c.top.leave(c.number, fmt.Errorf("aborted with code %d: %s", code, reason))
}
