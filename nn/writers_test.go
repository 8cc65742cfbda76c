package nn_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

// take writes n tokens of each text, as fast as they come.
func take(t *testing.T, all *nn.Writers, n int, texts ...*nn.Writer) [][]int32 {
	t.Helper()
	out := make([][]int32, len(texts))
	for range 1000 {
		done := true
		for i, text := range texts {
			for len(out[i]) < n {
				token, ok, err := text.Token()
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					done = false
					break
				}
				out[i] = append(out[i], token)
			}
		}
		if done {
			return out
		}
		if err := all.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("nothing comes")
	return nil
}

// TestWriters writes texts alone, together, and while others begin and end: each has the tokens that a Generator writes, beyond the end of
// the context too.
func TestWriters(t *testing.T) {
	type asked struct {
		seed        uint64
		temperature float64
		topK        int
		prompt      []int32
	}
	texts := []asked{
		{1, 1, 0, []int32{3, 1, 4}}, {2, 0, 0, []int32{5}}, {3, 5, 2, []int32{1, 2, 3, 4, 5, 6}}, {1, 0.5, 0, []int32{0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3}}, {4, 2, 3, []int32{6, 6}},
	}
	const length = 25
	for _, dtype := range []tarn.DType{tarn.F32, tarn.F64} {
		m := gpt(t)
		if err := tarn.Cast(m, dtype); err != nil {
			t.Fatal(err)
		}
		begin := func(all *nn.Writers, a asked) *nn.Writer {
			w, err := all.Begin(a.seed, a.prompt...)
			if err != nil {
				t.Fatal(err)
			}
			w.Temperature, w.TopK = a.temperature, a.topK
			return w
		}
		var want [][]int32
		for _, a := range texts {
			g, err := m.NewGenerator(a.seed)
			if err != nil {
				t.Fatal(err)
			}
			g.Temperature, g.TopK = a.temperature, a.topK
			if err := g.Read(a.prompt...); err != nil {
				t.Fatal(err)
			}
			var tokens []int32
			for range length {
				token, err := g.Write()
				if err != nil {
					t.Fatal(err)
				}
				tokens = append(tokens, token)
			}
			want = append(want, tokens)
		}
		for _, places := range []int{1, 3, 8} {
			all, err := m.NewWriters(places)
			if err != nil {
				t.Fatal(err)
			}
			for i, a := range texts { // one after the other in the same place
				w := begin(all, a)
				if got := take(t, all, length, w)[0]; !slices.Equal(got, want[i]) {
					t.Errorf("%v, %d places: text %d alone is %v, want %v", dtype, places, i, got, want[i])
				}
				w.End()
				w.End() // once more does nothing
			}
			// As many as there is room for, each of which begins some steps after the one before it.
			var together []*nn.Writer
			for i := range min(places, len(texts)) {
				together = append(together, begin(all, texts[i]))
				for range 2 {
					if err := all.Step(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			for i, got := range take(t, all, length, together...) {
				if !slices.Equal(got, want[i]) {
					t.Errorf("%v, %d places: text %d among others is %v, want %v", dtype, places, i, got, want[i])
				}
			}
			if places > len(texts) {
				continue
			}
			if _, err := all.Begin(1, 0); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("all %d places are taken", places)) {
				t.Errorf("%d places: one text more: %v", places, err)
			}
			together[0].End()
			w := begin(all, texts[4])
			if got := take(t, all, length, w)[0]; !slices.Equal(got, want[4]) {
				t.Errorf("%v, %d places: a text in the place of another is %v, want %v", dtype, places, got, want[4])
			}
		}
	}
}

func TestWritersMistakes(t *testing.T) {
	m := gpt(t)
	all, err := m.NewWriters(2)
	if err != nil {
		t.Fatal(err)
	}
	if err := all.Step(t.Context()); err != nil {
		t.Errorf("a step without texts: %v", err)
	}
	for want, f := range map[string]func() error{
		"want 1 or more":      func() error { _, err := m.NewWriters(0); return err },
		"the model is nil":    func() error { _, err := (*nn.GPT)(nil).NewWriters(1); return err },
		"the prompt is empty": func() error { _, err := all.Begin(1); return err },
		"token 1 of the prompt is 7, and the model knows 0 to 6": func() error { _, err := all.Begin(1, 0, 7); return err },
		"is -1,":           func() error { _, err := all.Begin(1, -1); return err },
		"have no model":    func() error { _, err := new(nn.Writers).Begin(1, 0); return err },
		"they have no mod": func() error { return (*nn.Writers)(nil).Step(t.Context()) },
		"it has no text":   func() error { _, _, err := new(nn.Writer).Token(); return err },
	} {
		if err := f(); err == nil || !strings.HasPrefix(err.Error(), "nn: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	// One text cannot be drawn, and the other goes on.
	bad, err := all.Begin(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	bad.Temperature = math.NaN()
	good, err := all.Begin(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	take(t, all, 3, good)
	if _, ok, err := bad.Token(); ok || err == nil || !strings.Contains(err.Error(), "temperature is NaN") {
		t.Errorf("%v, %v", ok, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := all.Step(ctx); err == nil {
		t.Error("a step of a context that has ended")
	}
	take(t, all, 5, good)
}
