package dist

import "fmt"

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
type Sum[T float32 | float64] struct {
	comm  Comm
	terms int
	size  int // of an array
	cover [][]node
	most  int // nodes of a rank
	roots [][]T
	free  [][]T
	bytes int64

	send, received []T
}

// bucket is the number of bytes that are summed at once.
const bucket = 25 << 20

// NewSum returns a sum of the given number of terms, each of size numbers. There must be at least as many terms as ranks.
func NewSum[T float32 | float64](c Comm, terms, size int) (*Sum[T], error) {
	if terms < c.Size() {
		return nil, fmt.Errorf("dist: a sum of %d terms is spread over %d ranks: each needs a term at least", terms, c.Size())
	}
	s := &Sum[T]{comm: c, terms: terms, size: size}
	for r := range c.Size() {
		lo, hi := Shard(terms, c.Size(), r)
		nodes := node{0, terms}.cover(node{lo, hi})
		s.cover, s.most = append(s.cover, nodes), max(s.most, len(nodes))
	}
	s.roots = make([][]T, s.most)
	return s, nil
}

// Sent returns the number of bytes that this rank has sent to others.
func (s *Sum[T]) Sent() int64 { return s.bytes }

// Memory returns the number of bytes of the arrays that the sum keeps.
func (s *Sum[T]) Memory() int {
	arrays := len(s.free)
	for _, root := range s.roots {
		if root != nil {
			arrays++
		}
	}
	var zero T
	return (arrays*s.padded() + cap(s.send) + cap(s.received)) * Of([]T{zero}).Type.Size()
}

// padded is the size of the arrays in memory, a multiple of the number of ranks.
func (s *Sum[T]) padded() int {
	n := s.comm.Size()
	return (s.size + n - 1) / n * n
}

// array returns memory for an array.
func (s *Sum[T]) array() []T {
	if n := len(s.free); n > 0 {
		a := s.free[n-1]
		s.free = s.free[:n-1]
		return a
	}
	var zero T
	width := Of([]T{zero}).Type.Size()
	return Numbers[T](Alloc(s.comm, s.padded()*width))
}

// Local adds up the terms of this rank. Term is called for each, in order, and writes it to the array that it is given, or returns false if it has
// none; a sum with a missing term is what the others are. The arrays are of the length that NewSum was given.
func (s *Sum[T]) Local(term func(i int, into []T) (bool, error)) error {
	for i, root := range s.roots {
		if root != nil {
			s.free, s.roots[i] = append(s.free, root), nil
		}
	}
	for k, n := range s.cover[s.comm.Rank()] {
		root, err := s.local(n, term)
		if err != nil {
			return err
		}
		s.roots[k] = root
	}
	return nil
}

func (s *Sum[T]) local(n node, term func(i int, into []T) (bool, error)) ([]T, error) {
	if n.hi-n.lo == 1 {
		a := s.array()
		if some, err := term(n.lo, a[:s.size]); err != nil || !some {
			s.free = append(s.free, a)
			return nil, err
		}
		return a, nil
	}
	l, r := n.children()
	left, err := s.local(l, term)
	if err != nil {
		return nil, err
	}
	right, err := s.local(r, term)
	if left == nil || right == nil || err != nil {
		if left == nil {
			left = right
		}
		return left, err
	}
	add(left, right)
	s.free = append(s.free, right)
	return left, nil
}

// add adds b to a.
func add[T float32 | float64](a, b []T) {
	b = b[:len(a)]
	for len(a) >= 8 {
		x, y := (*[8]T)(a), (*[8]T)(b)
		x[0], x[1], x[2], x[3] = x[0]+y[0], x[1]+y[1], x[2]+y[2], x[3]+y[3]
		x[4], x[5], x[6], x[7] = x[4]+y[4], x[5]+y[5], x[6]+y[6], x[7]+y[7]
		a, b = a[8:], b[8:]
	}
	for i := range a {
		a[i] += b[i]
	}
}

// Total returns the sum of the terms of all ranks after Local. Has tells, on all ranks alike, which terms there are. The result is valid until the
// next Local; it is nil if there are no terms. If fast is set, the communicator adds up what the ranks have, in an order of its own.
func (s *Sum[T]) Total(has func(i int) bool, fast bool) ([]T, error) {
	some := func(n node) bool {
		for i := n.lo; i < n.hi; i++ {
			if has(i) {
				return true
			}
		}
		return false
	}
	if !some(node{0, s.terms}) {
		return nil, nil
	}
	if s.comm.Size() == 1 {
		return s.roots[0][:s.size], nil
	}
	for k, root := range s.roots { // what is absent is sent as what is there
		if root == nil {
			s.roots[k] = s.array()
			clear(s.roots[k])
		}
	}
	step := max(1, bucket/8/s.comm.Size()) * s.comm.Size()
	for lo := 0; lo < s.padded(); lo += step {
		hi := min(lo+step, s.padded())
		var err error
		if fast {
			err = s.fast(lo, hi)
		} else {
			err = s.ordered(lo, hi, some)
		}
		if err != nil {
			return nil, err
		}
	}
	return s.roots[0][:s.size], nil
}

// fast sums the elements from lo to before hi by AllReduce.
func (s *Sum[T]) fast(lo, hi int) error {
	for _, root := range s.roots[1:] {
		add(s.roots[0][lo:hi], root[lo:hi])
	}
	x := Of(s.roots[0][lo:hi])
	n := int64(s.comm.Size())
	s.bytes += 2 * (n - 1) * int64(len(x.Bytes)) / n
	return s.comm.AllReduce(x)
}

// ordered sums the elements from lo to before hi: each rank the share of it that the others send, and then it sends the result.
func (s *Sum[T]) ordered(lo, hi int, some func(n node) bool) error {
	ranks := s.comm.Size()
	share := (hi - lo) / ranks
	from := s.roots[0][lo:hi]
	block := s.most * share
	if s.most > 1 {
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
	sum := s.finish(node{0, s.terms}, some, func(rank, k int) []T { return s.received[rank*block+k*share:][:share] })
	s.bytes += int64(ranks-1) * int64(len(Bytes(s.received[:block]))+len(Bytes(sum)))
	return s.comm.AllGather(Bytes(s.roots[0][lo:hi]), Bytes(sum))
}

// finish adds up the tree from the nodes that ranks have.
func (s *Sum[T]) finish(n node, some func(n node) bool, at func(rank, k int) []T) []T {
	if !some(n) {
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
	left, right := s.finish(l, some, at), s.finish(r, some, at)
	switch {
	case left == nil:
		return right
	case right != nil:
		add(left, right)
	}
	return left
}

// grow returns memory for n numbers, a if it is large enough.
func grow[T float32 | float64](c Comm, a []T, n int) []T {
	if cap(a) >= n {
		return a[:n]
	}
	var zero T
	return Numbers[T](Alloc(c, n*Of([]T{zero}).Type.Size()))
}
