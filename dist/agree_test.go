package dist_test

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/dist/disttest"
)

// TestGather gathers what has different lengths.
func TestGather(t *testing.T) {
	for _, lengths := range [][]int{{3}, {0, 2, 7}, {0, 0}, {5, 5, 5, 5}} {
		for r, err := range disttest.Run(len(lengths), disttest.Options{}, func(c dist.Comm) error {
			all, err := dist.Gather(c, []byte(strings.Repeat(fmt.Sprint(c.Rank()), lengths[c.Rank()])))
			for r, text := range all {
				if want := strings.Repeat(fmt.Sprint(r), lengths[r]); string(text) != want {
					err = fmt.Errorf("from rank %d %q, want %q", r, text, want)
				}
			}
			return err
		}) {
			if err != nil {
				t.Errorf("%v: rank %d: %v", lengths, r, err)
			}
		}
	}
}

var errOne = errors.New("the disk is full")

// TestAgree lets some ranks have errors.
func TestAgree(t *testing.T) {
	for _, has := range [][]bool{{false}, {true}, {false, false, false}, {false, true, false}, {false, true, true}} {
		some := false
		for _, h := range has {
			some = some || h
		}
		for r, err := range disttest.Run(len(has), disttest.Options{}, func(c dist.Comm) error {
			if has[c.Rank()] {
				return dist.Agree(c, errOne)
			}
			return dist.Agree(c, nil)
		}) {
			var other *dist.RankError
			switch {
			case !some && err != nil, has[r] && err != errOne:
				t.Errorf("%v: rank %d: %v", has, r, err)
			case some && !has[r] && (!errors.As(err, &other) || other.Rank != 1 || other.Host == "" || !strings.Contains(err.Error(), "the disk is full")):
				t.Errorf("%v: rank %d: %v", has, r, err)
			}
		}
	}
}

// TestTurns works on pieces with all numbers of ranks, with and without errors: rank 0 takes the same, and all end.
func TestTurns(t *testing.T) {
	pieces := func(n, bad int) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := range n {
				if i == bad && !yield(0, errors.New("piece is broken")) || i != bad && !yield(i, nil) {
					return
				}
			}
		}
	}
	for _, test := range []struct {
		name             string
		n                int
		piece, work, get int // the pieces at which these fail, or -1
		longer           int // pieces that the last rank has more
		want, err        string
	}{
		{"none", 0, -1, -1, -1, 0, "", ""},
		{"one", 1, -1, -1, -1, 0, "0 ", ""},
		{"several", 7, -1, -1, -1, 0, "0 1 2 3 4 5 6 ", ""},
		{"as many as ranks", 4, -1, -1, -1, 0, "0 1 2 3 ", ""},
		{"a broken piece", 7, 5, -1, -1, 0, "0 1 2 3 4 ", "piece is broken"},
		{"the first is broken", 7, 0, -1, -1, 0, "", "piece is broken"},
		{"work fails", 7, -1, 3, -1, 0, "0 1 2 ", "no work"},
		{"work fails before a broken piece", 7, 4, 3, -1, 0, "0 1 2 ", "no work"},
		{"take fails", 7, -1, -1, 2, 0, "0 1 ", "not taken"},
		{"more pieces on a rank", 4, -1, -1, -1, 1, "0 1 2 3 ", "other pieces"},
	} {
		for _, ranks := range []int{1, 2, 3, 4, 5} {
			got := ""
			for r, err := range disttest.Run(ranks, disttest.Options{}, func(c dist.Comm) error {
				n := test.n
				if c.Rank() == ranks-1 && ranks > 1 {
					n += test.longer
				}
				worked := 0
				return dist.Turns(c, pieces(n, test.piece), func(i int) ([]byte, error) {
					if worked++; i%ranks != c.Rank() {
						return nil, fmt.Errorf("piece %d is for another rank", i)
					}
					if i == test.work {
						return nil, errors.New("no work")
					}
					return fmt.Append(nil, i), nil
				}, func(made []byte) error {
					if c.Rank() != 0 || string(made) == fmt.Sprint(test.get) {
						return errors.New("not taken")
					}
					got += string(made) + " "
					return nil
				})
			}) {
				want := test.err
				if ranks == 1 && test.longer > 0 {
					want = ""
				}
				if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
					t.Errorf("%s: rank %d of %d: %v, want %q", test.name, r, ranks, err, want)
				}
			}
			if test.longer > 0 && ranks > 1 {
				if !strings.HasPrefix(test.want, got) {
					t.Errorf("%s: %d ranks took %q", test.name, ranks, got)
				}
			} else if got != test.want {
				t.Errorf("%s: %d ranks took %q, want %q", test.name, ranks, got, test.want)
			}
		}
	}
}
