package dist_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/dist/disttest"
)

// each runs f on ranks and reports errors.
func each(t *testing.T, size int, f func(c dist.Comm) error) {
	t.Helper()
	for r, err := range disttest.Run(size, disttest.Options{Seed: 1, Delay: 100 * time.Microsecond}, f) {
		if err != nil {
			t.Errorf("rank %d of %d: %v", r, size, err)
		}
	}
}

// TestCollectives checks what each collective leaves on each rank.
func TestCollectives(t *testing.T) {
	if err := disttest.Conform(dist.Single()); err != nil {
		t.Error(err)
	}
	for _, size := range []int{1, 2, 3, 4, 5} {
		each(t, size, disttest.Conform)
	}
}

// TestSum adds up terms, some of which are missing, with several numbers of ranks: the bits are the same.
func TestSum(t *testing.T) {
	for _, terms := range []int{1, 2, 3, 7, 8, 16} {
		for _, size := range []int{1, 3, 64, 1001} {
			for _, missing := range []int{0, 1, terms} {
				has := func(i int) bool { return i >= missing || missing != terms && i != 0 }
				term := func(i int, into []float32) (bool, error) {
					r := rand.New(rand.NewPCG(7, uint64(i)))
					for j := range into {
						into[j] = float32(r.NormFloat64() * math.Exp(5*r.NormFloat64()))
					}
					return has(i), nil
				}
				var want []float32
				for _, ranks := range []int{1, 2, 3, 4, 8, 16} {
					if ranks > terms {
						continue
					}
					each(t, ranks, func(c dist.Comm) error {
						s, err := dist.NewSum[float32](c, terms, size)
						if err != nil {
							return err
						}
						for range 2 { // the memory of the first is used again
							if err := s.Local(term); err != nil {
								return err
							}
							got, err := s.Total(has, false)
							if err != nil {
								return err
							}
							if ranks == 1 {
								want = slices.Clone(got)
							} else if !bytes.Equal(dist.Bytes(got), dist.Bytes(want)) {
								return fmt.Errorf("%d terms of %d numbers, %d missing: the bits differ from those of one rank", terms, size, missing)
							}
						}
						if err := s.Local(term); err != nil {
							return err
						}
						fast, err := s.Total(has, true)
						for j := range fast {
							scale := 1e-5 * (1 + math.Abs(float64(want[j])) + 1e4)
							if math.Abs(float64(fast[j]-want[j])) > scale {
								return fmt.Errorf("fast: %v, want about %v", fast[j], want[j])
							}
						}
						return err
					})
				}
			}
		}
	}
	each(t, 3, func(c dist.Comm) error {
		if _, err := dist.NewSum[float64](c, 2, 5); err == nil {
			return errors.New("a sum of 2 terms over 3 ranks is no error")
		}
		return nil
	})
}

// TestSent counts the bytes that a sum moves, against the least that any all-reduce can: 2 (R-1)/R of an array from each rank.
func TestSent(t *testing.T) {
	for ranks, most := range map[int]float64{2: 1, 3: 1.7, 4: 1, 8: 1} {
		each(t, ranks, func(c dist.Comm) error {
			const size = 3 * 8 * dist.Block
			s, err := dist.NewSum[float32](c, 8, size)
			if err != nil {
				return err
			}
			if err := s.Local(func(int, []float32) (bool, error) { return true, nil }); err != nil {
				return err
			}
			_, err = s.Total(func(int) bool { return true }, false)
			least := 2 * float64(ranks-1) / float64(ranks) * 4 * size
			if share := float64(s.Sent()) / least; share > most {
				return fmt.Errorf("%.2f of the least were sent", share)
			}
			return err
		})
	}
}

// TestFaults lets ranks be slow, die and panic at random calls of random programs: the others end too, with an error that names the rank.
func TestFaults(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		size, dead, at, how := 2+r.IntN(4), 0, r.IntN(12), r.IntN(3)
		dead = r.IntN(size)
		o := disttest.Options{Seed: seed, Delay: 50 * time.Microsecond}
		if how == 0 {
			o.Die = func(rank, call int) bool { return rank == dead && call == at }
		}
		done := make(chan []error)
		go func() {
			done <- disttest.Run(size, o, func(c dist.Comm) error {
				x, all := make([]float64, 8*size), make([]float64, 8*size*size)
				sub, err := c.Split(c.Rank()%2, 0)
				for i := 0; i < 6 && err == nil; i++ {
					if how > 0 && c.Rank() == dead && i == at/2 {
						if how == 1 {
							panic("a bug")
						}
						c.Abort(3, "out of memory")
					}
					if err = c.AllReduce(dist.Of(x)); err == nil {
						err = sub.Barrier()
					}
					if err == nil {
						err = c.AllGather(dist.Bytes(all), dist.Bytes(x))
					}
				}
				return err
			})
		}()
		select {
		case <-time.After(3 * time.Minute):
			t.Fatalf("seed %d: the ranks hang", seed)
		case errs := <-done:
			for i, err := range errs {
				var lost *dist.RankError
				if err == nil && (how > 0 || at < 11) {
					t.Errorf("seed %d: rank %d has not noticed that rank %d is gone", seed, i, dead)
				} else if err != nil && i != dead && (!errors.As(err, &lost) || lost.Rank != dead) {
					t.Errorf("seed %d: rank %d: %v, and rank %d is gone", seed, i, err, dead)
				}
			}
		}
	}
}

// TestOutOfStep lets ranks call different collectives.
func TestOutOfStep(t *testing.T) {
	for _, err := range disttest.Run(2, disttest.Options{}, func(c dist.Comm) error {
		if c.Rank() == 1 {
			return c.Barrier()
		}
		return c.AllReduce(dist.Of(make([]float32, 3)))
	}) {
		if err == nil || !strings.Contains(err.Error(), "out of step") {
			t.Errorf("got %v", err)
		}
	}
}
