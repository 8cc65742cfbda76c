package data

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/rng"
)

// This file splits a data set into batches. Which examples a batch holds is a pure function of the set, the batch size,
// the weights if there are any, the seed and the batch's position, so that a resumed run sees the same batches.

// Last says what happens at the end of an epoch if the remaining examples do not fill a batch.
type Last uint8

// The ways to end an epoch.
const (
	Short Last = iota // the last batch has fewer rows
	Drop              // the examples that do not fill a batch are left out of the epoch
	Pad               // the last batch has all rows; the last example fills those from Batch.N on
)

// Position is a place in the order of batches; the zero Position is the beginning.
type Position struct {
	Epoch int `json:"epoch"`
	Batch int `json:"batch"` // within the epoch
}

// Options say how a set is split into batches. The zero value is one epoch in the set's own order.
type Options struct {
	Shuffle  bool      // take each epoch in a random order, which follows from Seed and the number of the epoch
	Weighted *Weighted // draw the examples of each epoch by weight, in the order of the draws; nil takes each example once
	Seed     uint64    // of the shuffling and of transforms
	Last     Last      // what to do with the examples that do not fill a batch
	Epochs   int       // total epochs, counted from epoch 0 also when resuming; 0 means 1, negative means unlimited
	Start    Position  // where to begin
	Part     Part      // which rows of each batch are wanted; the zero value is all, and so is any of a Stream
	Prefetch int       // batches to prepare ahead in the background; 0 means 2, negative means none
}

// Part is the part of a batch that one of several processes needs: of the Shards into which each batch is cut, those from First to before End. Shard i of a batch
// of n rows has the rows from i*n/Shards to before (i+1)*n/Shards.
type Part struct{ Shards, First, End int }

// rows returns the rows of a batch of n.
func (p Part) rows(n int) (lo, hi int) {
	if p.Shards == 0 {
		return 0, n
	}
	return p.First * n / p.Shards, p.End * n / p.Shards
}

// Batches is a data set with a way to split it. Several loops may range over it, also at the same time.
type Batches struct {
	set     *Set    // or nil
	stream  *Stream // or nil
	fields  []field
	size    int
	options Options
	err     error
	ready   func(*Batch) error // see Prepared
}

// Batch is some examples of a set, converted to tensors. It is valid until the loop asks for the next batch, whose
// tensors use the same memory.
type Batch struct {
	Position Position       // of this batch
	Next     Position       // of the batch after it: where to resume after this batch
	N        int            // number of examples, without padding, in all parts
	First    int            // the row of the batch that is the first of the tensors: 0 but for a Part
	Tensors  []*tarn.Tensor // one for each field of the set, in its order
	names    []string
	rows     []int32
}

// Tensor returns the tensor of a field, or nil if the set has no such field.
func (b *Batch) Tensor(name string) *tarn.Tensor {
	if i := slices.Index(b.names, name); i >= 0 {
		return b.Tensors[i]
	}
	return nil
}

// Row returns the number of the i-th row's example in the data as it was loaded, counted from 0, whatever subsets and orders came after that.
func (b *Batch) Row(i int) int { return int(b.rows[i]) }

// EndsEpoch reports whether b is the last batch of its epoch.
func (b *Batch) EndsEpoch() bool { return b.Next.Batch == 0 }

// Batches splits the set into batches of the given size. Err reports wrong options, and so does the first turn of
// the loop.
func (s *Set) Batches(size int, o Options) *Batches {
	b := &Batches{set: s, fields: s.fields, size: size, options: o}
	if b.err = b.check(); b.err != nil {
		return b
	}
	switch {
	case s.n == 0:
		b.err = fmt.Errorf("data: batches of a set without examples")
	case o.Weighted != nil && o.Weighted.check(s.n) != nil:
		b.err = o.Weighted.check(s.n)
	case b.PerEpoch() == 0:
		b.err = fmt.Errorf("data: an epoch of %d examples has no full batch of %d, and the rest is dropped: choose a smaller batch or Last: Pad", b.Examples(), size)
	case o.Start.Batch > b.PerEpoch():
		b.err = fmt.Errorf("data: batches cannot begin at %+v: an epoch has %d batches", o.Start, b.PerEpoch())
	}
	return b
}

// check returns an error if the options make no sense whatever the source.
func (b *Batches) check() error {
	o := b.options
	switch {
	case b.size <= 0:
		return fmt.Errorf("data: batches of %d examples", b.size)
	case b.size > math.MaxInt32:
		return fmt.Errorf("data: batches of %d examples, more than %d", b.size, math.MaxInt32)
	case o.Last > Pad:
		return fmt.Errorf("data: Last is %d, which is neither Short, Drop nor Pad", o.Last)
	case o.Part != Part{} && (o.Part.First < 0 || o.Part.End < o.Part.First || o.Part.Shards < o.Part.End):
		return fmt.Errorf("data: the shards from %d to %d of %d", o.Part.First, o.Part.End, o.Part.Shards)
	case o.Start.Epoch < 0 || o.Start.Batch < 0:
		return fmt.Errorf("data: batches cannot begin at %+v", o.Start)
	}
	return nil
}

// Prepared returns the batches with f called for each as soon as it is prepared, in the background and some batches ahead of the loop, which an error of f ends. The
// tensors do not change until the loop is done with the batch.
func (b *Batches) Prepared(f func(*Batch) error) *Batches {
	c := *b
	c.ready = f
	return &c
}

// dealTo has d fill a slot.
func (b *Batches) dealTo(d walker, s *slot) (more bool, err error) {
	if more, err = d.deal(s); more && err == nil && b.ready != nil {
		err = b.ready(&s.batch)
	}
	return more, err
}

// Err returns the error of the options, if any.
func (b *Batches) Err() error { return b.err }

// Set returns the data set, or nil if the batches are those of a stream.
func (b *Batches) Set() *Set { return b.set }

// Size returns the number of examples in a full batch.
func (b *Batches) Size() int { return b.size }

// Options returns the options that the batches were made with.
func (b *Batches) Options() Options { return b.options }

// PerEpoch returns the number of batches in an epoch, or -1 if a stream does not know.
func (b *Batches) PerEpoch() int {
	if b.size <= 0 {
		return 0
	}
	if b.Examples() < 0 {
		return -1
	}
	n := b.Examples() / b.size
	if b.options.Last != Drop && b.Examples()%b.size != 0 {
		n++
	}
	return n
}

// Examples returns the number of examples in an epoch, with those that Drop leaves out: that of the set, unless Options.Weighted says otherwise; -1 if a stream
// does not know.
func (b *Batches) Examples() int {
	if b.stream != nil {
		return b.stream.Len()
	}
	return b.options.Weighted.size(b.set.n)
}

// All ranges over the batches from Options.Start to the end of the last epoch. An error (wrong options, that of the
// context, or of an example that cannot be read) comes with a nil batch and ends the loop. When the loop ends, however it does, the background work has ended
// too.
func (b *Batches) All(ctx context.Context) iter.Seq2[*Batch, error] {
	end := max(b.options.Epochs, 1)
	if b.options.Epochs < 0 {
		end = math.MaxInt
	}
	return b.from(ctx, b.options.Start, end)
}

// Epoch ranges over the batches of one epoch, from its beginning or from Options.Start if that lies in it. Otherwise
// it is like All.
func (b *Batches) Epoch(ctx context.Context, epoch int) iter.Seq2[*Batch, error] {
	start := Position{Epoch: epoch}
	if b.options.Start.Epoch == epoch {
		start = b.options.Start
	}
	return b.from(ctx, start, epoch+1)
}

// from ranges over the batches from start to before epoch end.
func (b *Batches) from(ctx context.Context, start Position, end int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		if b.err != nil {
			yield(nil, b.err)
			return
		}
		next, stop := b.prepare(ctx, start, end)
		defer stop()
		for {
			if ctx.Err() != nil {
				yield(nil, context.Cause(ctx))
				return
			}
			batch, err := next()
			if batch == nil {
				if ctx.Err() != nil {
					continue // it is the context that ended the loop
				}
				if err != nil {
					yield(nil, err)
				}
				return
			}
			if !yield(batch, nil) {
				return
			}
		}
	}
}

// walker fills one slot after the other.
type walker interface {
	deal(s *slot) (more bool, err error)
	close()
}

// walker returns what walks from start to before epoch end.
func (b *Batches) walker(ctx context.Context, start Position, end int) walker {
	if b.stream != nil {
		return b.streamDealer(ctx, start, end)
	}
	return b.dealer(start, end)
}

// prepare returns a function that returns one batch after the other, then nil, and a function that ends the work.
//
// Batches are made in a goroutine that runs some batches ahead of the loop: slots go round between the two, through free
// to the goroutine and through ready to the loop.
func (b *Batches) prepare(ctx context.Context, start Position, end int) (next func() (*Batch, error), stop func()) {
	depth := b.options.Prefetch
	if depth < 0 {
		d, s := b.walker(ctx, start, end), b.slot()
		return func() (*Batch, error) {
			if more, err := b.dealTo(d, s); !more || err != nil {
				return nil, err
			}
			return &s.batch, nil
		}, d.close
	}
	if depth == 0 {
		depth = 2
	}
	if n := b.PerEpoch(); n > 0 {
		depth = min(depth, n+1)
	}
	free, ready := make(chan *slot, depth+1), make(chan *slot, depth+1)
	for range depth + 1 {
		free <- b.slot()
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	var failed error // is read when ready has been closed
	go func() {
		defer close(done)
		defer close(ready)
		d := b.walker(ctx, start, end)
		defer d.close()
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-free:
				if ctx.Err() != nil {
					return
				}
				more, err := b.dealTo(d, s)
				if failed = err; !more || err != nil {
					return
				}
				ready <- s // never full: it has room for every slot
			}
		}
	}()
	var held *slot // the slot that the loop uses
	return func() (*Batch, error) {
			if held != nil {
				free <- held
			}
			select {
			case <-ctx.Done():
				held = nil
				return nil, nil
			case held = <-ready:
			}
			if held == nil {
				return nil, failed
			}
			return &held.batch, nil
		}, func() {
			cancel()
			<-done
		}
}

// slot is the memory of one batch.
type slot struct {
	batch      Batch
	full, rest []*tarn.Tensor // the same memory with all rows and with those of a short batch
	fill       fill           // of a set
}

// slot makes the memory of a batch.
func (b *Batches) slot() *slot {
	s := &slot{}
	rows, short := b.size, 0
	if n := b.Examples(); b.set != nil {
		short = n % b.size
		if b.options.Last == Short && n < b.size {
			rows = n // there is only one batch
		}
		lo, hi := b.options.Part.rows(rows)
		shortLo, shortHi := b.options.Part.rows(min(short, rows))
		rows, short = hi-lo, shortHi-shortLo
	}
	for i := range b.fields {
		f := &b.fields[i]
		s.batch.names = append(s.batch.names, f.name)
		t := tarn.Zeros(f.dtype, append([]int{max(rows, short)}, f.shape...)...) // of a Part that of a short batch may be larger
		s.full = append(s.full, head(t, rows))
		if b.options.Last == Short && b.set != nil {
			s.rest = append(s.rest, head(t, short))
		}
	}
	if b.set != nil {
		s.fill = b.set.fill(s.full)
	}
	return s
}

// head is the tensor of the first n rows of t, which shares its memory.
func head(t *tarn.Tensor, n int) *tarn.Tensor {
	shape := t.Shape()
	width := 1
	for _, d := range shape[1:] {
		width *= d
	}
	shape[0] = n
	var h *tarn.Tensor
	var err error
	switch n *= width; t.DType() {
	case tarn.F32:
		h, err = tarn.FromSlice(t.F32()[:n], shape...)
	case tarn.F64:
		h, err = tarn.FromSlice(t.F64()[:n], shape...)
	case tarn.I32:
		h, err = tarn.FromSlice(t.I32()[:n], shape...)
	case tarn.I64:
		h, err = tarn.FromSlice(t.I64()[:n], shape...)
	default:
		h, err = tarn.FromSlice(t.Bools()[:n], shape...)
	}
	if err != nil {
		panic(err) // a part of a valid shape is valid
	}
	return h
}

// dealer walks along the positions and fills slots with their batches.
type dealer struct {
	*Batches
	at    Position
	end   int     // first epoch after the last
	order []int32 // rows of the epoch known
	known int     // epoch of order, -1 for none
	rows  []int32 // of a padded batch
}

func (b *Batches) dealer(start Position, end int) *dealer {
	return &dealer{Batches: b, at: start, end: end, known: -1}
}

// deal fills s with the batch at the dealer's position and advances. It returns false at the end.
func (d *dealer) deal(s *slot) (bool, error) {
	if d.at.Batch >= d.PerEpoch() {
		d.at = Position{Epoch: d.at.Epoch + 1}
	}
	if d.at.Epoch >= d.end {
		return false, nil
	}
	if d.known != d.at.Epoch {
		d.order = d.epochOrder(d.order, d.at.Epoch)
		d.known = d.at.Epoch
	}
	lo := d.at.Batch * d.size
	rows := d.order[lo:min(lo+d.size, len(d.order))]
	b := &s.batch
	b.N, b.Tensors, b.Position = len(rows), s.full, d.at
	if len(rows) < d.size {
		if d.options.Last == Pad {
			d.rows = append(d.rows[:0], rows...)
			for len(d.rows) < d.size {
				d.rows = append(d.rows, rows[len(rows)-1])
			}
			rows = d.rows
		} else {
			b.Tensors = s.rest
		}
	}
	first, end := d.options.Part.rows(len(rows))
	b.First, rows = first, rows[first:end]
	b.rows = append(b.rows[:0], rows...)
	if err := s.fill(rows, rows, d.options.Seed, d.at.Epoch); err != nil {
		return false, err
	}
	if d.at.Batch++; d.at.Batch == d.PerEpoch() {
		d.at = Position{Epoch: d.at.Epoch + 1}
	}
	b.Next = d.at
	return true, nil
}

func (d *dealer) close() {}

// epochOrder writes the rows of an epoch, in their order, to dst.
func (b *Batches) epochOrder(dst []int32, epoch int) []int32 {
	if w := b.options.Weighted; w != nil {
		dst = w.draw(dst, rng.Step(b.options.Seed, drawNode, uint64(epoch)))
		for i, k := range dst {
			if b.set.rows != nil {
				dst[i] = b.set.rows[k]
			}
		}
		return dst
	}
	dst = b.set.order(dst)
	if b.options.Shuffle {
		rng.Shuffle(dst, rng.Step(b.options.Seed, shuffleNode, uint64(epoch)))
	}
	return dst
}

// shuffleNode keeps the stream of the shuffling apart from the streams of a graph's random nodes, which are small
// numbers, under the same seed (the bytes of "shuffles"). It must never change: saved runs depend on it.
const shuffleNode = 0x73687566666c6573

// drawNode is the same for the draws of Weighted (the bytes of "weighted").
const drawNode = 0x7765696768746564
