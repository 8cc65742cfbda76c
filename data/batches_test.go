package data

// The tests check that every epoch has every example once, that the order depends on nothing but set, size, seed and
// position, with and without prefetching, and that no goroutine stays behind however a loop ends.

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn"
)

var background = context.Background()

// dealt returns what a loop saw: one line for each batch.
func dealt(t testing.TB, b *Batches) []string {
	t.Helper()
	var seen []string
	for batch, err := range b.All(background) {
		if err != nil {
			t.Fatal(err)
		}
		x, y := batch.Tensor("x"), batch.Tensor("y")
		for i, v := range y.I64() {
			if x.F32()[2*i] != float32(2*v) || x.F32()[2*i+1] != float32(2*v+1) {
				t.Fatalf("x and y of example %d do not belong together", v)
			}
		}
		seen = append(seen, fmt.Sprint(batch.Position, batch.Next, batch.N, y.Shape(), y.I64()))
	}
	return seen
}

func TestBatchesInOrder(t *testing.T) {
	for _, c := range []struct {
		n, size int
		o       Options
		want    []string
	}{
		{5, 2, Options{}, []string{"{0 0} {0 1} 2 [2] [0 1]", "{0 1} {0 2} 2 [2] [2 3]", "{0 2} {1 0} 1 [1] [4]"}},
		{5, 2, Options{Last: Drop}, []string{"{0 0} {0 1} 2 [2] [0 1]", "{0 1} {1 0} 2 [2] [2 3]"}},
		{5, 3, Options{Last: Pad}, []string{"{0 0} {0 1} 3 [3] [0 1 2]", "{0 1} {1 0} 2 [3] [3 4 4]"}},
		{4, 2, Options{}, []string{"{0 0} {0 1} 2 [2] [0 1]", "{0 1} {1 0} 2 [2] [2 3]"}},
		{2, 4, Options{}, []string{"{0 0} {1 0} 2 [2] [0 1]"}},
		{2, 4, Options{Last: Pad}, []string{"{0 0} {1 0} 2 [4] [0 1 1 1]"}},
		{2, 1 << 30, Options{}, []string{"{0 0} {1 0} 2 [2] [0 1]"}},
		{3, 2, Options{Epochs: 2}, []string{"{0 0} {0 1} 2 [2] [0 1]", "{0 1} {1 0} 1 [1] [2]", "{1 0} {1 1} 2 [2] [0 1]", "{1 1} {2 0} 1 [1] [2]"}},
		{3, 2, Options{Epochs: 2, Start: Position{1, 1}}, []string{"{1 1} {2 0} 1 [1] [2]"}},
		{3, 2, Options{Epochs: 2, Start: Position{0, 2}}, []string{"{1 0} {1 1} 2 [2] [0 1]", "{1 1} {2 0} 1 [1] [2]"}},
		{3, 2, Options{Epochs: 2, Start: Position{2, 0}}, nil},
		{3, 2, Options{Epochs: 2, Start: Position{1, 2}}, nil},
	} {
		for _, prefetch := range []int{-1, 0, 1, 100} {
			c.o.Prefetch = prefetch
			b := numbered(t, c.n).Batches(c.size, c.o)
			if got := dealt(t, b); !slices.Equal(got, c.want) {
				t.Errorf("%d by %d, %+v:\n got %q\nwant %q", c.n, c.size, c.o, got, c.want)
			}
		}
	}
}

func TestShuffle(t *testing.T) {
	s := numbered(t, 50)
	epoch := func(seed uint64, e int) []int64 {
		var seen []int64
		for b, err := range s.Batches(7, Options{Shuffle: true, Seed: seed}).Epoch(background, e) {
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, b.Tensor("y").I64()...)
		}
		return seen
	}
	orders := map[string]bool{}
	for seed := range uint64(3) {
		for e := range 3 {
			order := epoch(seed, e)
			if !slices.Equal(order, epoch(seed, e)) {
				t.Errorf("seed %d, epoch %d: two orders", seed, e)
			}
			orders[fmt.Sprint(order)] = true
			slices.Sort(order)
			if !slices.Equal(order, ys(t, s)) {
				t.Errorf("seed %d, epoch %d: not every example once: %v", seed, e, order)
			}
		}
	}
	if len(orders) != 9 {
		t.Errorf("%d orders from 9 epochs", len(orders))
	}
	// Saved runs depend on the order, so it must not change.
	if got, want := fmt.Sprint(epoch(7, 3)[:10]), "[21 16 25 1 36 23 49 47 9 35]"; got != want {
		t.Errorf("order of seed 7, epoch 3 = %s, want %s", got, want)
	}
}

// TestResume stops after every batch and resumes from there.
func TestResume(t *testing.T) {
	s := numbered(t, 23)
	for _, last := range []Last{Short, Drop, Pad} {
		o := Options{Shuffle: true, Seed: 11, Epochs: 3, Last: last}
		whole := dealt(t, s.Batches(5, o))
		i := 0
		for b, err := range s.Batches(5, o).All(background) {
			if err != nil {
				t.Fatal(err)
			}
			i++
			if b.EndsEpoch() != (i%s.Batches(5, o).PerEpoch() == 0) {
				t.Errorf("batch %d: EndsEpoch = %v", i, b.EndsEpoch())
			}
			rest := o
			rest.Start = b.Next
			if got := dealt(t, s.Batches(5, rest)); !slices.Equal(got, whole[i:]) {
				t.Fatalf("last %d, after batch %d: %q, want %q", last, i, got, whole[i:])
			}
		}
		if i != len(whole) {
			t.Errorf("%d batches, want %d", i, len(whole))
		}
	}
}

func TestEndless(t *testing.T) {
	n := 0
	for b, err := range numbered(t, 3).Batches(2, Options{Epochs: -1}).All(background) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; b.Position.Epoch == 40 {
			break
		}
	}
	if n != 81 {
		t.Errorf("%d batches up to epoch 40", n)
	}
}

func TestWrongOptions(t *testing.T) {
	s := numbered(t, 5)
	none, err := s.Slice(2, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		set  *Set
		size int
		o    Options
		want string
	}{
		{s, 0, Options{}, "batches of 0 examples"},
		{s, -3, Options{}, "batches of -3 examples"},
		{s, 1 << 40, Options{Last: Pad}, "examples, more than"},
		{s, 2, Options{Last: 3}, "neither Short, Drop nor Pad"},
		{s, 6, Options{Last: Drop, Epochs: -1}, "no full batch of 6"},
		{s, 2, Options{Start: Position{-1, 0}}, "cannot begin at"},
		{s, 2, Options{Start: Position{0, -1}}, "cannot begin at"},
		{s, 2, Options{Start: Position{0, 4}}, "an epoch has 3 batches"},
		{none, 2, Options{Epochs: -1}, "without examples"},
	} {
		b := c.set.Batches(c.size, c.o)
		refused(t, c.want, b.Err(), c.want)
		turns := 0
		for batch, err := range b.All(background) {
			if turns++; batch != nil || !errors.Is(err, b.Err()) {
				t.Errorf("%s: the loop gave %v, %v", c.want, batch, err)
			}
		}
		if turns != 1 {
			t.Errorf("%s: %d turns of the loop", c.want, turns)
		}
	}
	b := s.Batches(2, Options{Seed: 4})
	if b.Err() != nil || b.Set() != s || b.Size() != 2 || b.Options().Seed != 4 || b.PerEpoch() != 3 {
		t.Errorf("%+v", b)
	}
	for batch := range b.All(background) {
		if batch.Tensor("z") != nil || len(batch.Tensors) != 2 {
			t.Errorf("tensors of a batch: %v", batch)
		}
	}
}

// settled waits until no more goroutines run than before.
func settled(t *testing.T, before int) {
	t.Helper()
	for range 200 { // a goroutine counts until a moment after its last statement
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func TestNothingStaysBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	cause := errors.New("cause")
	for _, prefetch := range []int{-1, 0, 5} {
		b := numbered(t, 30).Batches(4, Options{Epochs: -1, Prefetch: prefetch})

		for range b.All(background) { // break at once
			break
		}
		settled(t, before)

		func() { // panic in the body
			defer func() {
				if recover() == nil {
					t.Error("the panic is gone")
				}
			}()
			for range b.All(background) {
				panic("body")
			}
		}()
		settled(t, before)

		for _, after := range []int{0, 1, 20} { // cancel before and during the loop
			ctx, cancel := context.WithCancelCause(background)
			turns := 0
			var last error
			if after == 0 {
				cancel(cause)
			}
			for batch, err := range b.All(ctx) {
				if last = err; err != nil {
					if batch != nil {
						t.Error("a batch beside an error")
					}
					continue
				}
				if turns++; turns == after {
					cancel(cause)
				}
			}
			if turns != after || !errors.Is(last, cause) {
				t.Errorf("prefetch %d: canceled after %d, %d turns, error %v", prefetch, after, turns, last)
			}
			cancel(nil)
			settled(t, before)
		}

		first, second := 0, 0 // two loops over the same batches at once
		for x := range b.All(background) {
			for y := range b.All(background) {
				if x.Tensors[0] == y.Tensors[0] {
					t.Fatal("two loops share memory")
				}
				if second++; second%10 == 0 {
					break
				}
			}
			if first++; first == 3 {
				break
			}
		}
		settled(t, before)
	}
}

// TestBatchStaysUntilNext keeps hold of a batch for a while, so that a background that wrote to it too early would be
// seen (by the race detector too).
func TestBatchStaysUntilNext(t *testing.T) {
	for b, err := range numbered(t, 40).Batches(4, Options{Epochs: 3, Prefetch: 1}).All(background) {
		if err != nil {
			t.Fatal(err)
		}
		before := b.Tensor("y").Clone()
		time.Sleep(200 * time.Microsecond)
		if !b.Tensor("y").Equal(before, 0) {
			t.Fatal("a batch changed before the next was asked for")
		}
	}
}

func TestLoopDoesNotAllocate(t *testing.T) {
	s, err := numbered(t, 1000).Cast("y", tarn.F32)
	if err != nil {
		t.Fatal(err)
	}
	run := func(epochs int) float64 {
		b := s.Batches(10, Options{Shuffle: true, Epochs: epochs})
		return testing.AllocsPerRun(5, func() {
			for range b.All(background) {
			}
		})
	}
	if few, many := run(1), run(11); many > few+5 { // 1000 batches more
		t.Errorf("%v allocations for 100 batches, %v for 1100", few, many)
	}
}

// TestParts cuts batches into shards: the parts of all processes together are the whole batches, with transforms too.
func TestParts(t *testing.T) {
	for _, n := range []int{3, 11, 24} {
		for _, size := range []int{4, 11} {
			for _, last := range []Last{Short, Drop, Pad} {
				if last == Drop && n < size {
					continue
				}
				for _, processes := range []int{1, 2, 3} {
					const shards = 5
					o := Options{Shuffle: true, Seed: 3, Epochs: 2, Last: last}
					rows := func(o Options) (all [][]int64, counts, firsts []int) {
						for b, err := range numbered(t, n).Batches(size, o).All(background) {
							if err != nil {
								t.Fatal(err)
							}
							all, counts, firsts = append(all, slices.Clone(b.Tensor("y").I64())), append(counts, b.N), append(firsts, b.First)
							for i, y := range b.Tensor("y").I64() {
								if b.Row(i) != int(y) {
									t.Errorf("row %d is of example %d, and the tensor has %d", i, b.Row(i), y)
								}
							}
						}
						return all, counts, firsts
					}
					want, counts, _ := rows(o)
					got := make([][]int64, len(want))
					for p := range processes {
						o.Part = Part{shards, p * shards / processes, (p + 1) * shards / processes}
						parts, n, firsts := rows(o)
						if !slices.Equal(n, counts) {
							t.Errorf("%d examples in parts, want %d", n, counts)
						}
						for i := range parts {
							if firsts[i] != len(got[i]) {
								t.Errorf("batch %d: a part begins at row %d, and those before it have %d", i, firsts[i], len(got[i]))
							}
							got[i] = append(got[i], parts[i]...)
						}
					}
					if fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("%d examples in batches of %d for %d processes: %v, want %v", n, size, processes, got, want)
					}
				}
			}
		}
	}
	if err := numbered(t, 9).Batches(3, Options{Part: Part{4, 3, 5}}).Err(); err == nil {
		t.Error("a part that is not one is no error")
	}
}
