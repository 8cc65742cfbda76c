package train

import (
	"time"
)

// This file sends gradients while others are computed. The arrays of gradients fall into buckets, in the order in which the last shard of a rank completes
// them, and a goroutine sums each over the ranks as soon as it is complete, all ranks in the same order.

// buckets are those of both arrays.
type buckets struct {
	sharded *sharded
	all     []bucket
	of      [][]int // by segment: the buckets that it lies in
	running bool
	ended   chan error
	busy    time.Duration
}

// bucket is a part of one of the arrays.
type bucket struct {
	array    int
	number   int
	segments int           // that lie in it
	missing  int           // of those, how many are not complete yet
	complete chan struct{} // gets an element then
}

// newBuckets finds out what lies where.
func newBuckets(s *sharded) *buckets {
	b := &buckets{sharded: s, of: make([][]int, len(s.segments)), ended: make(chan error, 1)}
	for kind, a := range s.arrays {
		for k := range a.Buckets() {
			lo, hi := a.Bucket(k)
			one := bucket{array: kind, number: k, complete: make(chan struct{}, 1)}
			for at, sg := range s.segments {
				if sg.array == kind && sg.offset < hi && sg.offset+sg.size > lo {
					b.of[at] = append(b.of[at], len(b.all))
					one.segments++
				}
			}
			b.all = append(b.all, one)
		}
	}
	return b
}

// begin begins a step.
func (b *buckets) begin() {
	for i := range b.all {
		b.all[i].missing = b.all[i].segments
	}
}

// start starts the goroutine, in the last shard.
func (b *buckets) start() {
	if b.sharded.Comm.Size() == 1 {
		return
	}
	b.running, b.busy = true, 0
	go func() { b.ended <- b.reduce() }()
}

// reduce sums all buckets.
func (b *buckets) reduce() error {
	s := b.sharded
	for i := range b.all {
		k := &b.all[i]
		<-k.complete
		begun := time.Now()
		gather := k.array == arrayStates || s.split == nil || !s.split.byElement
		err := s.arrays[k.array].Reduce(k.number, s.Fast, gather)
		b.busy += time.Since(begun)
		if err != nil {
			return err
		}
	}
	return nil
}

// ready notes that a segment is complete.
func (b *buckets) ready(at int) {
	if !b.running {
		return
	}
	for _, i := range b.of[at] {
		if k := &b.all[i]; k.missing > 0 {
			if k.missing--; k.missing == 0 {
				k.complete <- struct{}{}
			}
		}
	}
}

// rest completes all that is not.
func (b *buckets) rest() {
	for i := range b.all {
		if k := &b.all[i]; b.running && k.missing > 0 {
			k.missing = 0
			k.complete <- struct{}{}
		}
	}
}

// wait waits until all buckets are summed.
func (b *buckets) wait() error {
	s := b.sharded
	t := &s.Shards.traffic
	t.Steps++
	if !b.running {
		return nil
	}
	b.rest()
	begun := time.Now()
	err := <-b.ended
	b.running = false
	t.Waited += time.Since(begun)
	t.Busy += b.busy
	t.Sent, t.Least = s.Shards.spread, 0
	ranks := int64(s.Comm.Size())
	for _, a := range s.arrays {
		t.Sent += a.Sent()
		t.Least += t.Steps * 2 * (ranks - 1) * int64(a.bytes()) / ranks
	}
	return err
}
