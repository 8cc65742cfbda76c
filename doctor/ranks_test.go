package doctor_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/doctor"
	"github.com/seed-49005b45/tarn/watch"
)

// rankHistory is that of a training that learns, on ranks with the given shards and seconds of computing and between steps; exchange is the seconds of
// exchanging. Waits follow. Times vary by a tenth, and the first look is far off.
func rankHistory(looks int, shards []int, compute, between []float64, exchange float64) *watch.History {
	h := &watch.History{Header: &watch.Header{Version: 1, Every: 20, Batch: 64, Examples: 6400, Epochs: 10}}
	first := 0
	for r, n := range shards {
		h.Header.Ranks = append(h.Header.Ranks, watch.Rank{Host: fmt.Sprint("node", r/2), First: first, End: first + n})
		first += n
	}
	h.Header.Shards = first
	random := rand.New(rand.NewPCG(1, 1))
	for i := range looks {
		c := &watch.RankColumns{Steps: min(20, 1+20*i)}
		most := 0.0
		var busy []float64
		for r := range shards {
			x, y := compute[r]*(0.95+0.1*random.Float64()), between[r]*(0.95+0.1*random.Float64())
			if i == 0 {
				x, y = 10*random.Float64(), random.Float64()
			}
			c.Compute, c.Between, busy = append(c.Compute, watch.Number(x)), append(c.Between, watch.Number(y)), append(busy, x+y)
			most = max(most, x+y)
		}
		for r := range shards {
			c.Wait, c.Exchange = append(c.Wait, watch.Number(most-busy[r])), append(c.Exchange, watch.Number(exchange))
		}
		h.Add(watch.Line{Step: &watch.Step{Run: int64(20*i + 1), Epoch: 1 + i/5, Loss: watch.Number(2 / (1 + float64(i))), Ranks: c}})
	}
	return h
}

// TestSlowRanks judges ranks that are slow for several reasons, and such as are not.
func TestSlowRanks(t *testing.T) {
	same := func(n int, x float64) []float64 {
		all := make([]float64, n)
		for i := range all {
			all[i] = x
		}
		return all
	}
	with := func(of []float64, rank int, x float64) []float64 { of[rank] = x; return of }
	for _, test := range []struct {
		name string
		h    *watch.History
		want string // in the headline, or "" for no verdict
	}{
		{"even", rankHistory(12, []int{2, 2, 2, 2}, same(4, 0.1), same(4, 0.01), 0.01), ""},
		{"a bit slower", rankHistory(12, []int{2, 2, 2, 2}, with(same(4, 0.1), 1, 0.12), same(4, 0.01), 0.01), ""},
		{"slow processor", rankHistory(12, []int{2, 2, 2, 2}, with(same(4, 0.1), 3, 0.19), same(4, 0.01), 0.01), "rank 3 on host node1 takes 1.8 times the median of the other ranks, which wait for it 43 % of each step, because it computes slower"},
		{"slow processor of two", rankHistory(12, []int{4, 4}, with(same(2, 0.1), 1, 0.2), same(2, 0.01), 0.01), "rank 1 on host node0 takes 1.9 times the median of the other ranks"},
		{"slow disk", rankHistory(12, []int{2, 2, 2, 2}, same(4, 0.1), with(same(4, 0.01), 2, 0.1), 0.01), "rank 2 on host node1 takes 1.8 times the median of the other ranks, which wait for it 43 % of each step, because it reads its part"},
		{"slow records", rankHistory(12, []int{2, 2, 2, 2}, same(4, 0.1), with(same(4, 0.01), 0, 0.1), 0.01), "because it writes records and checkpoints"},
		{"uneven shards", rankHistory(12, []int{2, 3, 3}, []float64{0.2, 0.3, 0.3}, same(3, 0.01), 0.01), ""}, // two of three are busy
		{"uneven shards of many", rankHistory(12, []int{1, 1, 2, 1}, []float64{0.1, 0.1, 0.2, 0.1}, same(4, 0.01), 0.01), "because it has 2 of the 5 shards of a batch and they have 1"},
		{"milliseconds", rankHistory(12, []int{2, 2}, []float64{0.0003, 0.001}, same(2, 0), 0.0001), ""},
		{"too early", rankHistory(7, []int{2, 2}, []float64{0.1, 0.3}, same(2, 0.01), 0.01), ""},
		{"slow network", rankHistory(12, []int{2, 2, 2, 2}, same(4, 0.1), same(4, 0.01), 0.3), "the 4 ranks spend 72 % of each step on summing gradients"},
		{"one process", rankHistory(12, []int{8}, same(1, 0.1), same(1, 0.1), 0.1), ""},
	} {
		got := ""
		for _, v := range doctor.Judge(test.h) {
			if v.Severity != doctor.Warning || len(v.Remedies) == 0 {
				t.Errorf("%s: %+v", test.name, v)
			}
			got += v.Headline + "\n"
		}
		if !strings.Contains(got, test.want) || test.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		for n := 1; test.want == "" && n < len(test.h.Steps); n++ { // nor while it goes on
			part := *test.h
			part.Steps = part.Steps[:n]
			if found := doctor.Judge(&part); len(found) > 0 {
				t.Errorf("%s, after %d looks: %s", test.name, n, found[0].Headline)
			}
		}
	}
	report := doctor.Ranks(rankHistory(12, []int{3, 3, 2}, []float64{0.1, 0.1, 0.2}, same(3, 0), 0))
	for _, want := range []string{"3 ranks on 2 hosts share the 8 shards of each batch; a step takes 0.2", "node0     0-2     48 %", "node1     6-7    100 %", "53 %"} {
		if !strings.Contains(report, want) {
			t.Errorf("no %q in\n%s", want, report)
		}
	}
	if report := doctor.Ranks(rankHistory(12, []int{8}, same(1, 0.1), same(1, 0.1), 0.1)); report != "" {
		t.Errorf("one process: %s", report)
	}
}
