package train_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/dist/disttest"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/train"
	"github.com/seed-49005b45/tarn/watch"
)

// watchedModels are those of the other tests over ranks, and one with a layer whose result does not grow with the batch and a recurrent one.
var watchedModels = append(rankModels[:len(rankModels):len(rankModels)], rankModel{"gpt without dropout", func() (any, train.Build) {
	m := nn.NewGPT(nn.GPTOptions{Vocabulary: 11, Context: 6, Width: 8, Layers: 1, Heads: 2})
	return m, func(g *tarn.Graph, n int) tarn.Outputs {
		logits := m.Forward(g.Input("x", tarn.I32, n, 6))
		return tarn.Outputs{"loss": nn.CrossEntropy(logits, g.Input("label", tarn.I32, n, 6)), "prediction": logits}
	}
}, words(37, 6), "label"})

// watchedSteps trains a model and returns what the looks have measured, without the times, and the weights, with the states unless ranks split them. Without ranks it is no training over shards.
func watchedSteps(t *testing.T, m rankModel, optimizer string, ranks int, zero bool, options *watch.Options) (looks []watch.Step, histograms []watch.Histogram, weights string) {
	t.Helper()
	for r, err := range disttest.Run(max(1, ranks), disttest.Options{}, func(c dist.Comm) error {
		model, build := m.make()
		if err := tarn.Init(model, 3); err != nil {
			return err
		}
		o := optimizersOverShards[optimizer]()
		step, err := train.NewStepOf(func(g *tarn.Graph, n int) tarn.Outputs { g.Seed(5); return build(g, n) }, model, o)
		if err != nil {
			return err
		}
		if ranks > 0 {
			step.Shards = &train.Shards{Comm: c, ZeRO: zero}
		}
		if options != nil {
			step.Watch = watch.New(*options)
		}
		for r, err := range step.Over(context.Background(), m.set().Batches(16, data.Options{Epochs: 3})) {
			if err != nil {
				return err
			}
			if r.Look != nil && c.Rank() == ranks-1 || ranks == 0 && r.Look != nil {
				if (r.Look.Ranks != nil) != (ranks > 1) {
					return fmt.Errorf("the look has the times %v", r.Look.Ranks)
				}
				r.Look.Ranks = nil
				looks, histograms = append(looks, *r.Look), append(histograms, r.Histograms...)
			}
		}
		if c.Rank() == 0 {
			weights = fmt.Sprintf("%x", rankSums(must(tarn.Params(model))))
			if !zero {
				weights += fmt.Sprintf(" %x", rankSums(must(o.States())))
			}
		}
		return nil
	}) {
		if err != nil {
			t.Fatalf("%s: rank %d of %d: %v", m.name, r, ranks, err)
		}
	}
	return looks, histograms, weights
}

// TestShardsWatch looks at trainings over shards: what is measured has the same bits for any number of ranks, with split updates too, changes no bits of the weights, and is nearly
// what is measured without shards.
func TestShardsWatch(t *testing.T) {
	for i, m := range watchedModels {
		options := &watch.Options{Every: 2, Histograms: true, Values: func(out tarn.Outputs) map[string]*tarn.Value {
			return map[string]*tarn.Value{"largest": out["prediction"].Square().Mean()}
		}}
		const adamw = "adamw, clipped"
		want, histograms, weights := watchedSteps(t, m, adamw, 1, false, options)
		if len(want) != 5 || want[1].Cosine == nil || want[0].Cosine != nil {
			t.Fatalf("%s: %d looks, the second %+v", m.name, len(want), want[1])
		}
		if _, _, plain := watchedSteps(t, m, adamw, 1, false, nil); plain != weights {
			t.Errorf("%s: looks change the weights", m.name)
		}
		for _, over := range []struct {
			ranks int
			zero  bool
		}{{2, false}, {3, false}, {8, false}, {1, true}, {2, true}, {3, true}, {8, true}} {
			if testing.Short() && (over.ranks == 8 || over.zero != (over.ranks == 3)) {
				continue
			}
			got, counts, sums := watchedSteps(t, m, adamw, over.ranks, over.zero, options)
			if a, b := asJSON(got), asJSON(want); a != b || !strings.HasPrefix(weights, sums) {
				t.Errorf("%s: %+v:\n%s\nand one:\n%s", m.name, over, a, b)
			}
			if a, b := asJSON(counts), asJSON(histograms); a != b {
				t.Errorf("%s: the histograms of %+v:\n%s\nand of one:\n%s", m.name, over, a, b)
			}
		}
		if i == 0 { // two passes over the shards
			want, _, _ := watchedSteps(t, m, "sam, clipped", 0, false, options)
			one, _, weights := watchedSteps(t, m, "sam, clipped", 1, false, options)
			three, _, sums := watchedSteps(t, m, "sam, clipped", 3, false, options)
			if asJSON(one) != asJSON(three) || weights != sums {
				t.Errorf("%s with SAM: three ranks:\n%s\nand one:\n%s", m.name, asJSON(three), asJSON(one))
			}
			for i := range want {
				near(t, fmt.Sprintf("%s with SAM, look %d", m.name, i+1), asTree(one[i]), asTree(want[i]))
			}
		}
		if i == 0 { // updates that are split by params
			want, histograms, weights := watchedSteps(t, m, "muon", 1, false, options)
			got, counts, sums := watchedSteps(t, m, "muon", 3, true, options)
			if a, b := asJSON([]any{got, counts}), asJSON([]any{want, histograms}); a != b || !strings.HasPrefix(weights, sums) {
				t.Errorf("%s with Muon: split updates:\n%s\nand one rank:\n%s", m.name, a, b)
			}
		}
		if strings.Contains(m.name, "batch norm") || m.name == "gpt" {
			continue // other statistics or other random numbers
		}
		whole, distributions, _ := watchedSteps(t, m, adamw, 0, false, options)
		for i := range whole {
			near(t, fmt.Sprintf("%s, look %d", m.name, i+1), asTree(want[i]), asTree(whole[i]))
		}
		for i, h := range distributions {
			sum := func(counts []int) (n int) {
				for _, c := range counts {
					n += c
				}
				return n
			}
			if g := histograms[i]; g.Of != h.Of || g.Name != h.Name || sum(g.Counts) != sum(h.Counts) {
				t.Errorf("%s: %s %s has %d elements, and without shards %s %s %d", m.name, g.Of, g.Name, sum(g.Counts), h.Of, h.Name, sum(h.Counts))
			}
		}
	}
}

func asJSON(v any) string { return string(must(json.Marshal(v))) }

func asTree(v any) (tree any) {
	if err := json.Unmarshal([]byte(asJSON(v)), &tree); err != nil {
		panic(err)
	}
	return tree
}

// near compares two trees of numbers.
func near(t *testing.T, at string, got, want any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(want) {
			t.Errorf("%s: %v, want %v", at, got, want)
			return
		}
		for k := range want {
			near(t, at+" "+k, g[k], want[k])
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			t.Errorf("%s: %v, want %v", at, got, want)
			return
		}
		for i := range want {
			near(t, fmt.Sprint(at, " ", i), g[i], want[i])
		}
	case float64:
		if g, ok := got.(float64); !ok || math.Abs(g-want) > 2e-3*math.Abs(want)+1e-5 {
			t.Errorf("%s: %v, want %v", at, got, want)
		}
	default:
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", at, got, want)
		}
	}
}

// TestShardsPace slows a rank down: the records say so.
func TestShardsPace(t *testing.T) {
	dir := t.TempDir() + "/run"
	for r, err := range disttest.Run(3, disttest.Options{}, func(c dist.Comm) error {
		l, err := rankLoop(rankModels[0], c, dir, false)
		if err != nil {
			return err
		}
		l.Watch, l.Epochs, l.CheckpointEvery = &watch.Options{Every: 3}, 5, 0
		for _, err := range l.Run(context.Background()) {
			if err != nil {
				return err
			}
			if c.Rank() == 1 {
				time.Sleep(5 * time.Millisecond)
			}
		}
		return nil
	}) {
		if err != nil {
			t.Fatalf("rank %d: %v", r, err)
		}
	}
	h := must(watch.Load(dir + "/" + watch.FileName))
	if h.Header.Shards != 8 || len(h.Header.Ranks) != 3 || h.Header.Ranks[1].First != 2 || h.Header.Ranks[1].End != 5 || h.Header.Ranks[2].Host == "" || h.Program == nil {
		t.Errorf("the header is %+v", h.Header)
	}
	last := h.Steps[len(h.Steps)-1]
	if r := last.Ranks; r == nil || r.Steps != 3 || !(r.Between[1] > 2e-3) || !(r.Wait[2] > r.Wait[1]) || !(r.Wait[2] > 1e-3) || !(r.Compute[0] > 0) || !(r.Exchange[0] > 0) {
		t.Errorf("the times of the ranks are %+v", last.Ranks)
	}
}

// TestShardsEstimate estimates a training on ranks: each gets its own memory, and the training is not changed.
func TestShardsEstimate(t *testing.T) {
	m := rankModels[1]
	want := rankTraining(t, m, 1, false, "", 0)
	states := 0 // of one rank that has them all
	for _, test := range []struct {
		ranks int
		zero  bool
	}{{1, false}, {3, false}, {3, true}} {
		ranks := test.ranks
		estimates, logs := make([]*train.Estimate, ranks), make([]string, ranks)
		for r, err := range disttest.Run(ranks, disttest.Options{}, func(c dist.Comm) error {
			l, err := rankLoop(m, c, "", test.zero)
			if err != nil {
				return err
			}
			if estimates[c.Rank()], err = l.Estimate(context.Background()); err != nil {
				return err
			}
			for _, err := range l.Run(context.Background()) {
				if err != nil {
					return err
				}
			}
			logs[c.Rank()] = rankHistory(l, !test.zero)
			return nil
		}) {
			if err != nil {
				t.Fatalf("rank %d of %d: %v", r, ranks, err)
			}
		}
		weights := must(tarn.Params(must(rankLoop(m, dist.Single(), "", false)).Model))
		bytes, trained := 0, 0
		for _, p := range weights.All() {
			n := p.DType().Size() * p.Tensor().Size()
			if bytes += n; p.Trainable() {
				trained += n
			}
		}
		flops, split, kept := 0, 0, 0
		for r, e := range estimates {
			flops, kept = flops+e.Flops(), kept+e.Watching
			if e.Weights != bytes || e.Sums < bytes || (e.Ranks == nil) != (ranks == 1) || e.Arena == 0 || e.Steps != 4 || e.Epochs != 3 || e.Measured != estimates[0].Measured || e.Measured < 3 || e.Step <= 0 ||
				e.Memory() != e.Weights+e.States+e.Watching+e.Arena+e.Inputs+e.Outputs+e.Sums {
				e.Work = nil
				t.Errorf("rank %d of %d: %+v", r, ranks, e)
			}
			split += e.States
			if !strings.HasPrefix(want, logs[r]) {
				t.Errorf("rank %d of %d: an estimate changes the training:\n%s\nwant\n%s", r, ranks, logs[r], want)
			}
		}
		switch {
		case ranks == 1:
			states = split
		case !test.zero && split != 3*states, test.zero && split > states+3*64: // a few scalars are on all ranks
			t.Errorf("ZeRO %v: the states of all ranks take %d bytes, and those of one %d", test.zero, split, states)
		case !test.zero && kept != 2*ranks*trained, test.zero && kept != 2*trained:
			t.Errorf("ZeRO %v: all ranks keep %d bytes for looks, and the weights take %d", test.zero, kept, trained)
		}
		if ranks == 3 && (flops < 2*estimates[0].Flops() || flops > 4*estimates[0].Flops()) {
			t.Errorf("the ranks compute %d operations, rank 0 %d of them", flops, estimates[0].Flops())
		}
	}
}
