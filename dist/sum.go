package dist

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/pool"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file holds sums whose bits do not depend on the number of ranks. The terms of a sum are the leaves of one binary tree, whoever has them.
// A rank adds up the subtrees that it has all leaves of, and sends only their roots.

// Shard returns the elements from lo to before hi of n that belong to shard i of a number of shards, which differ by one element at most.
func Shard(n, shards, i int) (lo, hi int) { return i * n / shards, (i + 1) * n / shards }

// node is a part of the tree: the leaves from lo to before hi.
type node struct{ lo, hi int }

// children splits a node of several leaves: the left half is the largest power of two that leaves something for the right.
func (n node) children() (left, right node) {
	half := 1
	for half*2 < n.hi-n.lo {
		half *= 2
	}
	return node{n.lo, n.lo + half}, node{n.lo + half, n.hi}
}

// cover returns the largest subtrees of n whose leaves are all within the leaves of has.
func (n node) cover(has node) []node {
	switch {
	case n.lo >= has.hi || n.hi <= has.lo:
		return nil
	case has.lo <= n.lo && n.hi <= has.hi:
		return []node{n}
	}
	left, right := n.children()
	return append(left.cover(has), right.cover(has)...)
}

// Sum adds up arrays, the terms, that are spread over ranks, in an order that depends on the number of terms alone: the result has the same bits
// for any number of ranks. Rank r of R has the terms that Shard(terms, R, r) returns. Sums of two terms are taken pairwise, as a tree. A rank sends
// and receives as many bytes as in a ring all-reduce if the number of ranks is a power of two, and up to three times as many if not.
//
// Local and Total do all of it. To add up and send a part of the arrays before the rest has been computed, call Begin, then for each term Term,
// Ready and End, and Reduce for each bucket that is complete, from another goroutine if need be.
type Sum[T float32 | float64] struct {
	comm  Comm
	terms int
	size  int // of an array
	cover [][]node
	most  int // nodes of a rank
	bytes int64

	// The terms that there are, and how those of this rank are added up.
	absent []bool
	plan   []leaf
	next   int   // of plan
	stack  [][]T // sums of subtrees that wait for their right halves, and at the end the roots
	roots  [][]T // by node of the rank
	term   []T   // in progress
	free   [][]T
	adder  adder[T]

	// What Reduce works with, which may run at the same time as Ready.
	finisher       adder[T]
	send, received []T
}

// leaf is a term of this rank.
type leaf struct {
	term   int
	merges int // the number of sums that it completes
	root   int // the node of which it is the last term, or -1
}

// The sizes that the arrays of a sum are divided into, in bytes and in elements.
const (
	bucketBytes = 25 << 20
	// Block is the number of elements that the parts of arrays which ranks finish are multiples of.
	Block = 1024
)

// NewSum returns a sum of the given number of terms, each of size numbers. There must be at least as many terms as ranks.
func NewSum[T float32 | float64](c Comm, terms, size int) (*Sum[T], error) {
	if terms < c.Size() {
		return nil, fmt.Errorf("dist: a sum of %d terms is spread over %d ranks: each needs a term at least", terms, c.Size())
	}
	s := &Sum[T]{comm: c, terms: terms, size: size, absent: make([]bool, terms), adder: newAdder[T](), finisher: newAdder[T]()}
	for r := range c.Size() {
		lo, hi := Shard(terms, c.Size(), r)
		nodes := node{0, terms}.cover(node{lo, hi})
		s.cover, s.most = append(s.cover, nodes), max(s.most, len(nodes))
	}
	s.roots = make([][]T, s.most)
	s.schedule()
	return s, nil
}

// schedule plans the terms of this rank.
func (s *Sum[T]) schedule() {
	s.plan = s.plan[:0]
	var visit func(n node) bool // whether there is any term in n
	visit = func(n node) bool {
		if n.hi-n.lo == 1 {
			if s.absent[n.lo] {
				return false
			}
			s.plan = append(s.plan, leaf{n.lo, 0, -1})
			return true
		}
		l, r := n.children()
		left, right := visit(l), visit(r)
		if left && right {
			s.plan[len(s.plan)-1].merges++
		}
		return left || right
	}
	for k, n := range s.cover[s.comm.Rank()] {
		if visit(n) {
			s.plan[len(s.plan)-1].root = k
		}
	}
}

// Sent returns the number of bytes that this rank has sent to others.
func (s *Sum[T]) Sent() int64 { return s.bytes }

// Memory returns the number of bytes of the arrays that the sum keeps.
func (s *Sum[T]) Memory() int {
	arrays := len(s.free) + len(s.stack)
	for _, root := range s.roots {
		if root != nil {
			arrays++
		}
	}
	return (arrays*s.padded() + cap(s.send) + cap(s.received)) * s.width()
}

// width is the number of bytes of a number.
func (s *Sum[T]) width() int {
	var zero T
	return int(unsafe.Sizeof(zero))
}

// padded is the size of the arrays in memory, with what rounds their last bucket up.
func (s *Sum[T]) padded() int {
	n := s.Buckets()
	if n == 0 {
		return 0
	}
	lo, _ := s.Bucket(n - 1)
	return lo + s.share(n-1)*s.comm.Size()
}

// array returns memory for an array.
func (s *Sum[T]) array() []T {
	if n := len(s.free); n > 0 {
		a := s.free[n-1]
		s.free = s.free[:n-1]
		return a
	}
	return Numbers[T](Alloc(s.comm, s.padded()*s.width()))
}

// Begin begins a sum. Absent reports, on all ranks alike, which terms are missing; nil means that none is.
func (s *Sum[T]) Begin(absent func(i int) bool) {
	changed := false
	for i := range s.absent {
		a := absent != nil && absent(i)
		changed, s.absent[i] = changed || a != s.absent[i], a
	}
	if changed {
		s.schedule()
	}
	for i, root := range s.roots {
		if root != nil {
			s.free, s.roots[i] = append(s.free, root), nil
		}
	}
	s.free, s.stack, s.next = append(s.free, s.stack...), s.stack[:0], 0
	if len(s.plan) == 0 {
		s.complete()
	}
}

// Term returns the array that term i of this rank is to be written to, which has the length that NewSum was given. Terms come in order, without those that are absent.
func (s *Sum[T]) Term(i int) []T {
	l := s.plan[s.next]
	if l.term != i {
		panic(fmt.Sprintf("dist: term %d of a sum where term %d should come", i, l.term))
	}
	s.term = s.array()
	if l.root >= 0 {
		s.roots[l.root] = s.target()
	}
	if s.next == len(s.plan)-1 {
		s.complete()
	}
	return s.term[:s.size]
}

// target is the array that the sum is in after the term in progress.
func (s *Sum[T]) target() []T {
	if n := s.plan[s.next].merges; n > 0 {
		return s.stack[len(s.stack)-n]
	}
	return s.term
}

// Ready adds the elements from lo to before hi of the term in progress to the terms before it, as far as the tree goes. After the last term of this
// rank they can be sent.
func (s *Sum[T]) Ready(lo, hi int) {
	n := len(s.stack) - s.plan[s.next].merges
	s.adder.chain(s.stack[n:], s.term, lo, hi)
}

// End ends the term in progress, of which all elements are ready.
func (s *Sum[T]) End() {
	l := s.plan[s.next]
	s.next++
	if l.merges > 0 {
		n := len(s.stack) - l.merges + 1
		s.free = append(append(s.free, s.stack[n:]...), s.term)
		s.stack = s.stack[:n]
	} else {
		s.stack = append(s.stack, s.term)
	}
	s.term = nil
	if l.root >= 0 {
		s.stack = s.stack[:0] // it is among the roots
	}
}

// Local adds up the terms of this rank. Term is called for each, in order, and writes it to the array that it is given, or returns false if it is zero. The
// arrays are of the length that NewSum was given.
func (s *Sum[T]) Local(term func(i int, into []T) (bool, error)) error {
	s.Begin(nil)
	for _, l := range s.plan {
		a := s.Term(l.term)
		some, err := term(l.term, a)
		if err != nil {
			s.free, s.term = append(s.free, s.term), nil
			clear(s.roots)
			return err
		}
		if !some {
			clear(a)
		}
		s.Ready(0, s.size)
		s.End()
	}
	return nil
}

// adder adds arrays up, with all threads if they are large.
type adder[T float32 | float64] struct {
	add  cpu.Vec
	sums [][]T
	term []T
	lo   int
	hi   int
}

// adderTask is the number of elements that are added at once, which stay in the first-level cache.
const adderTask = 4096

func newAdder[T float32 | float64]() adder[T] {
	var zero T
	dtype := cpu.F32
	if unsafe.Sizeof(zero) == 8 {
		dtype = cpu.F64
	}
	return adder[T]{add: cpu.Function(scalar.Add, dtype)}
}

// chain sets sums[0] to sums[0] + (sums[1] + (... + term)), for the elements from lo to before hi. Term is overwritten.
func (a *adder[T]) chain(sums [][]T, term []T, lo, hi int) {
	if len(sums) == 0 || hi <= lo {
		return
	}
	a.sums, a.term, a.lo, a.hi = sums, term, lo, hi
	pool.Default().Run((hi-lo+adderTask-1)/adderTask, a)
	a.sums, a.term = nil, nil
}

// Do adds up a part.
func (a *adder[T]) Do(_, task int) {
	lo := a.lo + task*adderTask
	hi := min(lo+adderTask, a.hi)
	at := func(x []T) unsafe.Pointer { return unsafe.Pointer(&x[lo]) }
	for i := len(a.sums) - 1; i > 0; i-- {
		a.add(at(a.term), at(a.sums[i]), at(a.term), nil, hi-lo)
	}
	a.add(at(a.sums[0]), at(a.sums[0]), at(a.term), nil, hi-lo)
}

// step is the number of elements of a bucket.
func (s *Sum[T]) step() int {
	ranks := s.comm.Size()
	return max(1, bucketBytes/s.width()/Block/ranks) * Block * ranks
}

// Buckets returns the number of parts that arrays are summed in.
func (s *Sum[T]) Buckets() int { return (s.size + s.step() - 1) / s.step() }

// Bucket returns the elements of a part.
func (s *Sum[T]) Bucket(k int) (lo, hi int) { return k * s.step(), min((k+1)*s.step(), s.size) }

// share is the number of elements of a bucket that each rank finishes, some of which may be beyond its end.
func (s *Sum[T]) share(k int) int {
	lo, hi := s.Bucket(k)
	ranks := s.comm.Size()
	return ((hi-lo+Block-1)/Block + ranks - 1) / ranks * Block
}

// Share returns the elements of a bucket that a rank finishes. They begin at a multiple of Block.
func (s *Sum[T]) Share(k, rank int) (lo, hi int) {
	first, end := s.Bucket(k)
	n := s.share(k)
	return min(first+rank*n, end), min(first+(rank+1)*n, end)
}

// Total returns the sum of the terms of all ranks after Local. Has tells, on all ranks alike, which terms there are. The result is valid until the
// next Local; it is nil if there are no terms. If fast is set, the communicator adds up what the ranks have, in an order of its own.
func (s *Sum[T]) Total(has func(i int) bool, fast bool) ([]T, error) {
	some := false
	for i := range s.terms {
		some = some || has(i)
	}
	if !some {
		return nil, nil
	}
	for k := range s.Buckets() {
		if err := s.Reduce(k, fast, true); err != nil {
			return nil, err
		}
	}
	return s.Result(), nil
}

// Result returns the sum. It is valid until the next Begin, and nil if there is no term.
func (s *Sum[T]) Result() []T {
	if !slices.Contains(s.absent, false) {
		return nil
	}
	return s.roots[0][:s.size]
}

// complete makes arrays for the nodes that this rank has no terms of.
func (s *Sum[T]) complete() {
	for k, root := range s.roots {
		if root == nil {
			s.roots[k] = s.array()
			clear(s.roots[k])
		}
	}
}

// Reduce adds up a bucket, which is ready in the last terms of this rank, over all ranks, and puts the sum into the Result: into all of the bucket if gather is
// set, and else into the Share of this rank. All ranks call it for the same buckets in the same order. If fast is set, the communicator adds up, in an order
// of its own.
func (s *Sum[T]) Reduce(k int, fast, gather bool) error {
	if s.comm.Size() == 1 {
		return nil
	}
	ranks, rank := s.comm.Size(), s.comm.Rank()
	lo, _ := s.Bucket(k)
	share := s.share(k)
	bucket := s.roots[0][lo : lo+ranks*share]
	mine := bucket[rank*share:][:share]
	part := int64(ranks-1) * int64(len(Bytes(mine)))
	s.bytes += part
	if gather {
		s.bytes += part
	}
	if fast {
		for _, root := range s.roots[1:] {
			s.finisher.chain([][]T{s.roots[0]}, root, lo, lo+len(bucket))
		}
		if gather {
			return s.comm.AllReduce(Of(bucket))
		}
		s.received = grow(s.comm, s.received, share)
		if err := s.comm.ReduceScatter(Of(s.received), Of(bucket)); err != nil {
			return err
		}
		copy(mine, s.received)
		return nil
	}
	from, block := bucket, s.most*share
	if s.most > 1 {
		s.bytes += int64(s.most-1) * part
		s.send = grow(s.comm, s.send, ranks*block)
		from = s.send
		for r := range ranks {
			for k, root := range s.roots {
				copy(from[r*block+k*share:][:share], root[lo+r*share:])
			}
		}
	}
	s.received = grow(s.comm, s.received, ranks*block)
	if err := s.comm.AllToAll(Bytes(s.received), Bytes(from)); err != nil {
		return err
	}
	sum := s.finish(node{0, s.terms}, func(rank, k int) []T { return s.received[rank*block+k*share:][:share] })
	if !gather {
		copy(mine, sum)
		return nil
	}
	return s.comm.AllGather(Bytes(bucket), Bytes(sum))
}

// Gather copies what each rank has in its Share of a bucket of the Result to all others.
func (s *Sum[T]) Gather(k int) error {
	if s.comm.Size() == 1 {
		return nil
	}
	lo, _ := s.Bucket(k)
	share := s.share(k)
	bucket := s.roots[0][lo : lo+s.comm.Size()*share]
	s.received = grow(s.comm, s.received, share)
	copy(s.received, bucket[s.comm.Rank()*share:])
	s.bytes += int64(s.comm.Size()-1) * int64(len(Bytes(s.received)))
	return s.comm.AllGather(Bytes(bucket), Bytes(s.received))
}

// finish adds up the tree from the nodes that ranks have.
func (s *Sum[T]) finish(n node, at func(rank, k int) []T) []T {
	if !slices.Contains(s.absent[n.lo:n.hi], false) {
		return nil
	}
	for r, nodes := range s.cover {
		for k, has := range nodes {
			if has == n {
				return at(r, k)
			}
		}
	}
	l, r := n.children()
	left, right := s.finish(l, at), s.finish(r, at)
	switch {
	case left == nil:
		return right
	case right != nil:
		s.finisher.chain([][]T{left}, right, 0, len(left))
	}
	return left
}

// grow returns memory for n numbers, a if it is large enough.
func grow[T float32 | float64](c Comm, a []T, n int) []T {
	if cap(a) >= n {
		return a[:n]
	}
	var zero T
	return Numbers[T](Alloc(c, n*int(unsafe.Sizeof(zero))))
}
