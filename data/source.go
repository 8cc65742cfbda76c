package data

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/internal/rng"
)

// This file holds Source, what a training takes its batches from, and Stream, a source whose examples are read one after the other and are never all in
// memory. Which examples a batch holds is a pure function of what is read, the sizes of batch and buffer, the seed and the position.

// Source is where batches come from: a Set, or a Stream.
type Source interface {
	// Batches splits the examples into batches of the given size.
	Batches(size int, o Options) *Batches
	// Len returns the number of examples in an epoch, or -1 if it is not known.
	Len() int
}

// StreamOptions say what is known of a stream, and how well it is shuffled.
type StreamOptions struct {
	Examples int // in an epoch, if one knows; 0 means that one does not. Another number is an error at the end of the epoch
	Buffer   int // examples that are kept in memory, of which each next one is drawn if batches are shuffled; at least a batch. 0 means 4096
}

// Stream is a source of examples that are read one after the other, in parts. A training that resumes reads those of its epoch before again, and then sees the
// same batches as if it had not been interrupted.
type Stream struct {
	open    func(ctx context.Context, epoch int) iter.Seq2[*Set, error]
	options StreamOptions
	fields  []field // without values
}

// NewStream returns the stream of what open returns for an epoch: parts of any number of examples, each a set with the same fields. Their values must stay as they are
// until the next part is asked for, and be the same each time that an epoch is opened; different epochs may have different orders. The first part
// is read now, to see the fields.
//
//	lines, err := data.NewStream(func(ctx context.Context, epoch int) iter.Seq2[*data.Set, error] {
//		return func(yield func(*data.Set, error) bool) {
//			...
//		}
//	}, data.StreamOptions{Buffer: 10_000})
//	loop := train.NewLoop(build, model, opt, lines)
func NewStream(open func(ctx context.Context, epoch int) iter.Seq2[*Set, error], o StreamOptions) (*Stream, error) {
	switch {
	case open == nil:
		return nil, fmt.Errorf("data: NewStream: the function is nil")
	case o.Examples < 0 || o.Examples > math.MaxInt32:
		return nil, fmt.Errorf("data: NewStream: an epoch of %d examples: want 0 to %d", o.Examples, math.MaxInt32)
	case o.Buffer < 0 || o.Buffer > math.MaxInt32:
		return nil, fmt.Errorf("data: NewStream: a buffer of %d examples: want 0 to %d", o.Buffer, math.MaxInt32)
	}
	if o.Buffer == 0 {
		o.Buffer = 4096
	}
	s := &Stream{open: open, options: o}
	for part, err := range open(context.Background(), 0) {
		if err != nil {
			return nil, err
		}
		if part == nil {
			return nil, fmt.Errorf("data: NewStream: the first part is nil")
		}
		for _, f := range part.fields {
			s.fields = append(s.fields, field{name: f.name, shape: slices.Clone(f.shape), width: f.width, dtype: f.dtype})
		}
		return s, nil
	}
	return nil, fmt.Errorf("data: NewStream: the stream has no part")
}

// Len returns the number of examples in an epoch, or -1 if it is not known.
func (s *Stream) Len() int {
	if s.options.Examples == 0 {
		return -1
	}
	return s.options.Examples
}

// Names returns the names of the fields, in order.
func (s *Stream) Names() []string { return (&Set{fields: s.fields}).Names() }

// Batches splits the stream into batches of the given size, as Set.Batches does a set. Options.Weighted is for sets alone.
func (s *Stream) Batches(size int, o Options) *Batches {
	b := &Batches{stream: s, fields: s.fields, size: size, options: o}
	if b.err = b.check(); b.err == nil && o.Weighted != nil {
		b.err = fmt.Errorf("data: the examples of a stream cannot be drawn by weight: use a Set")
	}
	return b
}

// streamDealer walks along a stream and fills slots with its batches.
type streamDealer struct {
	*Batches
	ctx   context.Context
	at    Position
	end   int            // first epoch after the last
	start Position       // where the first epoch begins
	next  func() bool    // reads the next part; nil if no epoch is open
	stop  func()         // closes the epoch
	draws rng.Key        // of the epoch
	drawn uint64         // examples that were taken out of the buffer
	read  int            // examples of the epoch that were read
	ended bool           // all parts of the epoch were read
	part  *Set           // the part that is read
	err   error          // of reading it
	rows  []int32        // its examples
	fill  fill           // makes them
	stage []*tarn.Tensor // where, block after block
	keys  []int32
	ready int            // examples in stage
	used  int            // of these that have gone into the buffer
	hold  []*tarn.Tensor // the buffer
	held  []int32        // its slots that hold examples, in the order in which they came if nothing is shuffled
	free  []int32        // the others
	count []int32        // the number of the example in each slot
}

// blockRows is the number of examples that are converted together.
const blockRows = 64

func (b *Batches) streamDealer(ctx context.Context, start Position, end int) *streamDealer {
	d := &streamDealer{Batches: b, ctx: ctx, at: start, end: end, start: start}
	n := max(b.stream.options.Buffer, b.size) // with a whole batch in it one knows whether another follows
	if !b.options.Shuffle {
		n = b.size
	}
	d.count = make([]int32, n)
	for i := range n {
		d.free = append(d.free, int32(n-1-i))
	}
	for _, f := range b.stream.fields {
		d.stage = append(d.stage, tarn.Zeros(f.dtype, append([]int{blockRows}, f.shape...)...))
		d.hold = append(d.hold, tarn.Zeros(f.dtype, append([]int{n}, f.shape...)...))
	}
	return d
}

// openEpoch begins to read the epoch at the position.
func (d *streamDealer) openEpoch() {
	next, stop := iter.Pull2(d.stream.open(d.ctx, d.at.Epoch))
	d.next = func() (more bool) {
		d.part, d.err, more = next()
		return more
	}
	d.stop = stop
	d.draws, d.drawn = rng.Step(d.options.Seed, bufferNode, uint64(d.at.Epoch)), 0
	d.read, d.ended, d.part, d.rows, d.ready, d.used = 0, false, nil, nil, 0, 0
	d.free = append(d.free, d.held...)
	d.held = d.held[:0]
}

// close ends the reading.
func (d *streamDealer) close() {
	if d.next != nil {
		d.stop()
		d.next = nil
	}
}

// top reads examples until the buffer is full or the epoch has ended.
func (d *streamDealer) top() error {
	for len(d.free) > 0 && !d.ended {
		if d.used == d.ready {
			if err := d.block(); err != nil {
				return err
			}
			continue
		}
		slot := d.free[len(d.free)-1]
		d.free = d.free[:len(d.free)-1]
		for i, t := range d.hold {
			copyRow(t, int(slot), d.stage[i], d.used)
		}
		d.count[slot] = d.keys[d.used]
		d.held = append(d.held, slot)
		d.used++
	}
	return nil
}

// block makes the next examples of the part, or opens the next part.
func (d *streamDealer) block() error {
	if len(d.rows) == 0 {
		if !d.next() {
			d.ended = true
			if n := d.stream.options.Examples; n > 0 && d.read != n {
				return fmt.Errorf("data: epoch %d of a stream has %d examples, and StreamOptions say %d", d.at.Epoch, d.read, n)
			}
			return nil
		}
		if d.err != nil {
			return d.err
		}
		if err := d.stream.same(d.part); err != nil {
			return err
		}
		d.rows = d.part.order(nil)
		d.fill = d.part.fill(d.stage)
		return nil
	}
	n := min(blockRows, len(d.rows))
	if d.read > math.MaxInt32-n {
		return fmt.Errorf("data: an epoch of a stream has more than %d examples", math.MaxInt32)
	}
	d.keys = d.keys[:0]
	for i := range n {
		d.keys = append(d.keys, int32(d.read+i))
	}
	if err := d.fill(d.rows[:n], d.keys, d.options.Seed, d.at.Epoch); err != nil {
		return err
	}
	d.read += n
	d.rows, d.ready, d.used = d.rows[n:], n, 0
	return nil
}

// same returns an error unless a part has the fields of the first one.
func (s *Stream) same(part *Set) error {
	if part == nil {
		return fmt.Errorf("data: a part of a stream is nil")
	}
	equal := slices.EqualFunc(s.fields, part.fields, func(a, b field) bool {
		return a.name == b.name && a.dtype == b.dtype && slices.Equal(a.shape, b.shape)
	})
	if !equal {
		describe := func(fields []field) string {
			var names []string
			for _, f := range fields {
				names = append(names, fmt.Sprintf("%s %v%v", f.name, f.dtype, f.shape))
			}
			return list.Names(names)
		}
		return fmt.Errorf("data: a part of a stream has the fields %s, and the first one has %s", describe(part.fields), describe(s.fields))
	}
	return nil
}

// take takes one example out of the buffer into row i of the tensors, or nowhere if there are none, and returns its number.
func (d *streamDealer) take(to []*tarn.Tensor, i int) int32 {
	k := 0
	if d.options.Shuffle {
		k = rng.Intn(d.draws, d.drawn, len(d.held))
	}
	d.drawn++
	slot := d.held[k]
	for f, t := range to {
		copyRow(t, i, d.hold[f], int(slot))
	}
	if d.options.Shuffle {
		d.held[k] = d.held[len(d.held)-1]
		d.held = d.held[:len(d.held)-1]
	} else {
		d.held = slices.Delete(d.held, 0, 1)
	}
	d.free = append(d.free, slot)
	return d.count[slot]
}

// left reports whether the buffer has another batch.
func (d *streamDealer) left() bool {
	return len(d.held) >= d.size || len(d.held) > 0 && d.options.Last != Drop
}

// deal fills s with the batch at the dealer's position and advances. It returns false at the end.
func (d *streamDealer) deal(s *slot) (bool, error) {
	for d.next == nil {
		if d.at.Epoch >= d.end {
			return false, nil
		}
		d.openEpoch()
		if err := d.top(); err != nil {
			return false, err
		}
		if !d.left() {
			return false, fmt.Errorf("data: epoch %d of a stream has %d examples, which are no batch of %d", d.at.Epoch, d.read, d.size)
		}
		skip := 0
		if d.at == d.start {
			skip = d.at.Batch
		}
		for range skip {
			if !d.left() {
				break
			}
			for range min(d.size, len(d.held)) {
				d.take(nil, 0)
			}
			if err := d.top(); err != nil {
				return false, err
			}
		}
		if !d.left() {
			d.endEpoch()
		}
	}
	b := &s.batch
	b.N, b.Tensors, b.Position = min(d.size, len(d.held)), s.full, d.at
	b.rows = b.rows[:0]
	for i := range b.N {
		b.rows = append(b.rows, d.take(s.full, i))
	}
	if b.N < d.size {
		if d.options.Last == Pad {
			for i := b.N; i < d.size; i++ {
				for _, t := range s.full {
					copyRow(t, i, t, b.N-1)
				}
				b.rows = append(b.rows, b.rows[b.N-1])
			}
		} else {
			b.Tensors = nil
			for _, t := range s.full {
				b.Tensors = append(b.Tensors, head(t, b.N))
			}
		}
	}
	if err := d.top(); err != nil {
		return false, err
	}
	if d.at.Batch++; !d.left() {
		d.endEpoch()
	}
	b.Next = d.at
	return true, nil
}

func (d *streamDealer) endEpoch() {
	d.close()
	d.at = Position{Epoch: d.at.Epoch + 1}
}

// copyRow copies a row of a tensor.
func copyRow(to *tarn.Tensor, i int, from *tarn.Tensor, k int) {
	a, b := to.Raw(), from.Raw()
	if len(b) == 0 || len(a) == 0 {
		return
	}
	width := len(b) / from.Shape()[0]
	copy(a[i*width:(i+1)*width], b[k*width:(k+1)*width])
}

// bufferNode keeps the draws from buffers apart from other streams under the same seed (the bytes of "buffered"). It must never change: saved runs depend on it.
const bufferNode = 0x6275666665726564
