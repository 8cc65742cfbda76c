package data

// The tests check that a stream brings each example of an epoch once, in batches that follow from seed and position alone, and that fields which are made with
// the batch are the same at any number of goroutines.

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// parts is a stream of n examples, numbered in the field y, in parts of different sizes, some of them empty.
func parts(t testing.TB, n int, o StreamOptions) *Stream {
	t.Helper()
	whole := numbered(t, n)
	s, err := NewStream(func(ctx context.Context, epoch int) iter.Seq2[*Set, error] {
		return func(yield func(*Set, error) bool) {
			for lo, size := 0, 1; lo < n; lo, size = lo+size, (size*5)%101 {
				part, err := whole.Slice(lo, min(lo+size, n))
				if !yield(part, err) {
					return
				}
				if empty, err := whole.Slice(0, 0); !yield(empty, err) {
					return
				}
			}
		}
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStream(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: reads a large file")
	}
	for _, n := range []int{1, 7, 64, 203} {
		for _, size := range []int{1, 7, 64} {
			for _, o := range []Options{{}, {Shuffle: true, Seed: 3}, {Shuffle: true, Last: Drop}, {Last: Pad, Shuffle: true}, {Last: Drop}} {
				for _, so := range []StreamOptions{{Buffer: 1}, {Buffer: 40, Examples: n}, {}} {
					o.Epochs = 3
					what := fmt.Sprintf("%d in batches of %d, %+v, %+v", n, size, o, so)
					s := parts(t, n, so)
					if want := max(so.Examples, -1); want > 0 && s.Len() != want || want == 0 && s.Len() != -1 {
						t.Fatalf("%s: Len is %d", what, s.Len())
					}
					if o.Last == Drop && n < size {
						_, err := all(s.Batches(size, o))
						refused(t, what, err, "which are no batch of")
						continue
					}
					whole, err := all(s.Batches(size, o))
					if err != nil {
						t.Fatalf("%s: %v", what, err)
					}
					seen := make([][]int, 3)
					for _, b := range whole {
						seen[b.at.Epoch] = append(seen[b.at.Epoch], b.rows...)
					}
					for e, rows := range seen {
						want := n
						if o.Last == Drop {
							want -= n % size
						}
						if !o.Shuffle && !slices.IsSorted(rows) {
							t.Errorf("%s: epoch %d is out of order", what, e)
						}
						if o.Shuffle && want > 20 && so.Buffer > 1 && slices.IsSorted(rows) {
							t.Errorf("%s: epoch %d is not shuffled", what, e)
						}
						slices.Sort(rows)
						if len(rows) != want || len(slices.Compact(rows)) != want {
							t.Errorf("%s: epoch %d has %d examples, want %d", what, e, len(rows), want)
						}
					}
					if o.Shuffle && n > 20 && size > 1 && fmt.Sprint(whole[0].rows) == fmt.Sprint(first(whole, 1).rows) {
						t.Errorf("%s: two epochs have one order", what)
					}
					for k, b := range whole {
						if k%3 != 0 {
							continue
						}
						later := o
						later.Start, later.Prefetch = b.next, -1
						rest, err := all(s.Batches(size, later))
						if err != nil || fmt.Sprint(rest) != fmt.Sprint(whole[k+1:]) {
							t.Errorf("%s: from %+v on: %v, %v, want %v", what, b.next, rest, err, whole[k+1:])
						}
					}
				}
			}
		}
	}
}

// taken is what a batch had.
type taken struct {
	at, next Position
	rows     []int
}

// first is the first batch of an epoch.
func first(all []taken, epoch int) taken {
	for _, b := range all {
		if b.at.Epoch == epoch {
			return b
		}
	}
	return taken{}
}

// all takes all batches, whose examples have their numbers as y.
func all(b *Batches) (all []taken, err error) {
	for b, err := range b.All(context.Background()) {
		if err != nil {
			return all, err
		}
		c := taken{at: b.Position, next: b.Next}
		y := b.Tensor("y")
		for i := range y.Size() {
			if int(y.Float(i)) != b.Row(i) {
				return all, fmt.Errorf("example %v is numbered %d", y.Float(i), b.Row(i))
			}
			if i < b.N {
				c.rows = append(c.rows, b.Row(i))
			} else if y.Float(i) != y.Float(b.N-1) {
				return all, fmt.Errorf("padding has %v", y.Float(i))
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// TestStreamTransforms expects examples of a stream to change as those of the set do.
func TestStreamTransforms(t *testing.T) {
	set := pictures(t, 150)
	set, err := set.Transform("x", RandomCrop{1}, RandomFlip{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewStream(func(context.Context, int) iter.Seq2[*Set, error] {
		return func(yield func(*Set, error) bool) {
			for lo := 0; lo < 150; lo += 50 {
				if part, err := set.Slice(lo, lo+50); !yield(part, err) {
					return
				}
			}
		}
	}, StreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Seed: 5, Epochs: 2}
	var want []*tarn.Tensor
	for b := range set.Batches(60, o).All(context.Background()) {
		want = append(want, b.Tensor("x").Clone())
	}
	for b, err := range s.Batches(60, o).All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if diff := b.Tensor("x").Diff(want[0], 0); diff != "" {
			t.Errorf("%+v: %s", b.Position, diff)
		}
		want = want[1:]
	}
}

func TestStreamMistakes(t *testing.T) {
	broken := errors.New("data: the disk is gone")
	one, two := numbered(t, 5), pictures(t, 2)
	open := func(sets ...any) func(context.Context, int) iter.Seq2[*Set, error] {
		return func(context.Context, int) iter.Seq2[*Set, error] {
			return func(yield func(*Set, error) bool) {
				for _, s := range sets {
					set, _ := s.(*Set)
					err, _ := s.(error)
					if !yield(set, err) {
						return
					}
				}
			}
		}
	}
	for _, c := range []struct {
		name string
		open func(context.Context, int) iter.Seq2[*Set, error]
		o    StreamOptions
		want string
	}{
		{"nil", nil, StreamOptions{}, "the function is nil"},
		{"nothing", open(), StreamOptions{}, "no part"},
		{"no set", open((*Set)(nil)), StreamOptions{}, "the first part is nil"},
		{"error", open(broken), StreamOptions{}, "the disk is gone"},
		{"examples", open(one), StreamOptions{Examples: -1}, "-1 examples"},
		{"buffer", open(one), StreamOptions{Buffer: -1}, "buffer of -1"},
	} {
		_, err := NewStream(c.open, c.o)
		refused(t, c.name, err, c.want)
	}
	for _, c := range []struct {
		name string
		open func(context.Context, int) iter.Seq2[*Set, error]
		so   StreamOptions
		size int
		o    Options
		want string
	}{
		{"later error", open(one, broken), StreamOptions{}, 3, Options{}, "the disk is gone"},
		{"later nil", open(one, (*Set)(nil)), StreamOptions{}, 3, Options{}, "part of a stream is nil"},
		{"other fields", open(one, two), StreamOptions{}, 3, Options{}, "a part of a stream has the fields x f32[3 4 2]"},
		{"too few", open(one), StreamOptions{Examples: 6}, 3, Options{}, "epoch 0 of a stream has 5 examples, and StreamOptions say 6"},
		{"batch", open(one), StreamOptions{}, 0, Options{}, "batches of 0"},
		{"weights", open(one), StreamOptions{}, 3, Options{Weighted: &Weighted{}}, "cannot be drawn by weight"},
	} {
		s, err := NewStream(c.open, c.so)
		if err != nil {
			t.Fatal(err)
		}
		for _, ahead := range []int{0, -1} {
			c.o.Prefetch = ahead
			var last error
			for _, err := range s.Batches(c.size, c.o).All(context.Background()) {
				last = err
			}
			refused(t, c.name, last, c.want)
		}
	}
}

// TestStreamIsClosed expects the reading to end with the loop.
func TestStreamIsClosed(t *testing.T) {
	set, closed := numbered(t, 10), 0
	s, err := NewStream(func(ctx context.Context, _ int) iter.Seq2[*Set, error] {
		return func(yield func(*Set, error) bool) {
			defer func() { closed++ }()
			for yield(set, nil) {
			}
		}
	}, StreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, ahead := range []int{0, -1} {
		before := closed
		for range s.Batches(4, Options{Prefetch: ahead}).All(context.Background()) {
			break
		}
		if closed != before+1 {
			t.Errorf("prefetch %d: the stream was closed %d times", ahead, closed-before)
		}
	}
}

// halves keeps a drawn share of an image.
type halves struct{}

func (halves) Mix(shape []int, image, other []float32, d *Draws) float64 {
	share := d.Float64()
	for i := range image {
		image[i] = float32(share)*image[i] + float32(1-share)*other[i]
	}
	return share
}

// TestLazy expects fields that are made with the batch to depend on the example alone, and to mix with others.
func TestLazy(t *testing.T) {
	labels := make([]int32, 50)
	for i := range labels {
		labels[i] = int32(i % 5)
	}
	set := newSet(t, Field{"label", Array{[]int{50}, labels}})
	load := func(row int, d *Draws, to []uint8) error {
		for i := range to {
			to[i] = uint8(row * 5)
			if d != nil {
				to[i] += uint8(d.Intn(3))
			}
		}
		return nil
	}
	plain, err := set.Lazy("x", []int{2, 3, 1}, load)
	if err != nil {
		t.Fatal(err)
	}
	if x, err := plain.Tensor("x"); err != nil || x.Float(6*7+1) != 35 || x.Shape()[0] != 50 {
		t.Fatalf("%v %v", x, err)
	}
	if m, err := plain.Moments("x", false); err != nil || math.Abs(m.Mean[0]-122.5) > 1e-9 {
		t.Errorf("%v %v", m, err)
	}
	part, _, err := plain.Split(30, 1)
	if err != nil {
		t.Fatal(err)
	}
	if part, err = part.Normalize("x", UnitBytes()); err != nil {
		t.Fatal(err)
	}
	if part, err = part.Transform("x", RandomFlip{}); err != nil {
		t.Fatal(err)
	}
	mixed, err := part.Mix("x", "label", "shares", 5, halves{})
	if err != nil {
		t.Fatal(err)
	}
	bits := func(workers int) string {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(workers))
		var b strings.Builder
		for batch, err := range mixed.Batches(7, Options{Shuffle: true, Seed: 2, Epochs: 2, Last: Pad}).All(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			x, shares, label := batch.Tensor("x"), batch.Tensor("shares"), batch.Tensor("label")
			fmt.Fprint(&b, x, shares)
			for i := range 7 {
				sum := 0.0
				for c := range 5 {
					sum += shares.Float(i*5 + c)
				}
				if math.Abs(sum-1) > 1e-6 || shares.Float(i*5+int(label.Float(i))) == 0 {
					t.Fatalf("the shares of an example of class %v are %v", label.Float(i), shares.F32()[i*5:i*5+5])
				}
			}
		}
		return b.String()
	}
	want := bits(1)
	for _, workers := range []int{2, 5} {
		if bits(workers) != want {
			t.Errorf("%d workers make other batches", workers)
		}
	}
	same, err := part.Mix("x", "label", "shares", 5)
	if err != nil {
		t.Fatal(err)
	}
	for b, err := range same.Batches(30, Options{}).All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range 30 {
			if b.Tensor("shares").Float(i*5+int(b.Tensor("label").Float(i))) != 1 {
				t.Errorf("without mixers the class has a share below 1")
			}
		}
	}
	if one, err := same.Tensor("shares"); err != nil || one.Shape()[1] != 5 {
		t.Errorf("%v %v", one, err)
	}
}

func TestLazyMistakes(t *testing.T) {
	labels := newSet(t, Field{"label", Array{[]int{3}, []int32{0, 1, 7}}})
	load := func(row int, d *Draws, to []uint8) error {
		if row == 1 {
			return errors.New("cat.png is broken")
		}
		return nil
	}
	set, err := labels.Lazy("x", []int{2}, load)
	if err != nil {
		t.Fatal(err)
	}
	_, err = all(set.Batches(2, Options{}))
	refused(t, "broken", err, `data: field "x", example 1: cat.png is broken`)
	_, err = set.Tensor("x")
	refused(t, "broken tensor", err, `example 1: cat.png is broken`)
	_, err = set.Moments("x", false)
	refused(t, "broken moments", err, `example 1: cat.png is broken`)
	for _, c := range []struct {
		name string
		f    func() (*Set, error)
		want string
	}{
		{"no name", func() (*Set, error) { return set.Lazy("", []int{1}, load) }, "the name"},
		{"same name", func() (*Set, error) { return set.Lazy("x", []int{1}, load) }, "the name"},
		{"no loader", func() (*Set, error) { return set.Lazy("z", []int{1}, nil) }, "no loader"},
		{"shape", func() (*Set, error) { return set.Lazy("z", []int{1 << 20, 1 << 20}, load) }, "cannot have the shape"},
		{"cast", func() (*Set, error) { return set.Cast("x", tarn.I32) }, "cannot become i32"},
		{"mix what", func() (*Set, error) { return set.Mix("z", "label", "s", 2) }, "no field"},
		{"mix labels", func() (*Set, error) { return set.Mix("x", "x", "s", 2) }, "want one class"},
		{"mix image", func() (*Set, error) { return set.Mix("label", "label", "s", 2) }, "should be f32"},
		{"mix into", func() (*Set, error) { return set.Mix("x", "label", "x", 2) }, "the name"},
		{"mix classes", func() (*Set, error) { return set.Mix("x", "label", "s", 0) }, "0 classes"},
		{"mix nil", func() (*Set, error) { return set.Mix("x", "label", "s", 2, nil) }, "nil"},
		{"mix twice", func() (*Set, error) {
			s, err := set.Mix("x", "label", "s", 2)
			if err != nil {
				return nil, err
			}
			return s.Mix("x", "label", "u", 2)
		}, "mixed already"},
		{"mixed class", func() (*Set, error) {
			s, err := set.Mix("x", "label", "s", 2)
			if err != nil {
				return nil, err
			}
			_, err = s.Tensor("s")
			return nil, err
		}, `example 2 of field "label" has the label 7`},
	} {
		_, err := c.f()
		refused(t, c.name, err, c.want)
	}
}

// TestBeta compares the moments of beta draws with those of the distribution.
func TestBeta(t *testing.T) {
	for _, c := range [][2]float64{{0.2, 0.2}, {1, 1}, {2, 5}} {
		mean, square := 0.0, 0.0
		const n = 20_000
		for i := range n {
			var d Draws
			d.begin(1, 0, int32(i))
			x := d.Beta(c[0], c[1])
			mean += x / n
			square += x * x / n
		}
		s := c[0] + c[1]
		variance := c[0] * c[1] / (s * s * (s + 1))
		if math.Abs(mean-c[0]/s) > 0.01 || math.Abs(square-mean*mean-variance) > 0.005 {
			t.Errorf("beta %v: mean %v, variance %v; want %v, %v", c, mean, square-mean*mean, c[0]/s, variance)
		}
	}
}
