package train

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn/internal/nightly"
)

// This file holds the tests of runs that go on for as long as they are told.

// TestNightlyKill is TestKill with other moments.
func TestNightlyKill(t *testing.T) {
	seeds := nightly.Seeds(t)
	whole := loop().with(folder(t))
	finish(t, whole)
	for seed := range seeds {
		killed(t, rand.New(rand.NewPCG(seed, 2)), whole)
	}
}

// TestNightlyDamage damages the files of an interrupted run and resumes it: the end is that of the whole run, or an error.
func TestNightlyDamage(t *testing.T) {
	seeds := nightly.Seeds(t)
	whole := short(folder(t))
	finish(t, whole)
	want := weightsOf(t, whole.Model)
	f := stopped(t)
	good := listing(t, f.Dir())
	var options map[string]int
	m := newNet()
	if _, err := f.LoadWeights(m); err != nil {
		t.Fatal(err)
	}
	if err := f.Options(&options); err != nil {
		t.Fatal(err)
	}
	saved := weightsOf(t, m)
	names := slices.Sorted(maps.Keys(good))
	refused, resumed := 0, 0
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 3))
		dir, err := os.MkdirTemp(t.TempDir(), "run")
		if err != nil {
			t.Fatal(err)
		}
		name := names[r.IntN(len(names))]
		damage, what := damaged(r, []byte(good[name]))
		for _, other := range names {
			text := []byte(good[other])
			if other == name {
				text = damage
			}
			if err := os.WriteFile(filepath.Join(dir, other), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		what = fmt.Sprintf("%s: %s", name, what)
		again, err := OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]int
		if err := again.Options(&got); err == nil && !maps.Equal(got, options) {
			t.Errorf("%s: the options are %v, want %v", what, got, options)
		}
		if _, err := again.LoadWeights(m); err == nil {
			sameWeights(t, what, weightsOf(t, m), saved)
		}
		l := short(quiet(again))
		if failure(l) != nil {
			refused++
		} else {
			resumed++
			sameWeights(t, what, weightsOf(t, l.Model), want)
		}
		os.RemoveAll(dir)
	}
	t.Logf("%d refused, %d resumed", refused, resumed)
}

// damaged returns a text as a bad disk or a bad editor may leave it, and what was done to it.
func damaged(r *rand.Rand, text []byte) ([]byte, string) {
	if len(text) == 0 {
		return []byte{byte(r.IntN(256))}, "a byte more"
	}
	text = slices.Clone(text)
	at := r.IntN(len(text))
	n := min(1+r.IntN(1<<r.IntN(10)), len(text)-at)
	switch r.IntN(7) {
	case 0:
		text[at] ^= 1 << r.IntN(8)
		return text, fmt.Sprintf("a bit of byte %d", at)
	case 1:
		at = at / 512 * 512
		clear(text[at:min(at+512, len(text))])
		return text, fmt.Sprintf("zeros at %d", at)
	case 2:
		return text[:at], fmt.Sprintf("cut at %d", at)
	case 3:
		return slices.Delete(text, at, at+n), fmt.Sprintf("without %d bytes at %d", n, at)
	case 4:
		return slices.Insert(text, at, text[at:at+n]...), fmt.Sprintf("%d bytes at %d twice", n, at)
	case 5:
		to := r.IntN(len(text) - n + 1)
		copy(text[to:], slices.Clone(text[at:at+n]))
		return text, fmt.Sprintf("%d bytes at %d copied to %d", n, at, to)
	}
	for i := range n {
		text[at+i] = byte(r.IntN(256))
	}
	return text, fmt.Sprintf("%d random bytes at %d", n, at)
}
