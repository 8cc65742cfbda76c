package doctor

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/seed-49005b45/tarn/watch"
)

// This file judges how the ranks of a training share their work: which of them the others wait for, and why.

// recentLooks is the number of looks that say how fast the ranks are now, and fewestRankLooks that below which nothing is said. A rank that is
// later than the others by less than leastDelay seconds a step may be so by chance.
const (
	recentLooks     = 20
	fewestRankLooks = 8
	leastDelay      = 1e-3
)

// rankTimes are the seconds of a step of each rank: medians over recent looks.
type rankTimes struct {
	compute, between, wait, exchange []float64
	looks                            int
}

// timesOf returns nil if the training has no ranks, or has not been looked at.
func timesOf(h *watch.History) *rankTimes {
	var recent []*watch.RankColumns
	for i := len(h.Steps) - 1; i >= 0 && len(recent) < recentLooks; i-- {
		if r := h.Steps[i].Ranks; r != nil && len(r.Compute) == len(h.Header.Ranks) {
			recent = append(recent, r)
		}
	}
	if h.Header == nil || len(h.Header.Ranks) < 2 || len(recent) == 0 {
		return nil
	}
	if n := len(recent); n > 1 && recent[n-1].Steps == 1 {
		recent = recent[:n-1] // the first look comes after a single step, in which programs are compiled
	}
	t := &rankTimes{looks: len(recent)}
	for r := range h.Header.Ranks {
		typical := func(f func(c *watch.RankColumns) []watch.Number) float64 {
			var all []float64
			for _, c := range recent {
				all = append(all, float64(f(c)[r]))
			}
			return median(all)
		}
		t.compute = append(t.compute, typical(func(c *watch.RankColumns) []watch.Number { return c.Compute }))
		t.between = append(t.between, typical(func(c *watch.RankColumns) []watch.Number { return c.Between }))
		t.wait = append(t.wait, typical(func(c *watch.RankColumns) []watch.Number { return c.Wait }))
		t.exchange = append(t.exchange, typical(func(c *watch.RankColumns) []watch.Number { return c.Exchange }))
	}
	return t
}

// busy is how long a rank keeps the others waiting.
func (t *rankTimes) busy(r int) float64 { return t.compute[r] + t.between[r] }

// step is how long a step takes, which is about the same for all ranks.
func (t *rankTimes) step() float64 {
	var all []float64
	for r := range t.compute {
		all = append(all, t.busy(r)+t.wait[r]+t.exchange[r])
	}
	return median(all)
}

// others is the median of a number over all ranks but one.
func others(of []float64, but int) float64 {
	return median(slices.Delete(slices.Clone(of), but, but+1))
}

// slowRank judges the slowest rank.
func slowRank(v *view) *watch.Verdict {
	t := timesOf(v.History)
	if t == nil || t.looks < fewestRankLooks {
		return nil
	}
	busy := make([]float64, len(t.compute))
	slow := 0
	for r := range busy {
		if busy[r] = t.busy(r); busy[r] > busy[slow] {
			slow = r
		}
	}
	usual, waiting := others(busy, slow), others(t.wait, slow)/t.step()
	if !(busy[slow] > 1.3*usual && busy[slow]-usual > leastDelay && waiting > 0.15) {
		return nil
	}
	ranks := v.Header.Ranks
	name := fmt.Sprintf("rank %d on host %s", slow, ranks[slow].Host)
	headline := fmt.Sprintf("%s takes %.1f times the median of the other ranks, which wait for it %.0f %% of each step", name, busy[slow]/usual, 100*waiting)
	evidence := fmt.Sprintf("seconds of a step: it computes %.3g and is between steps %.3g, the others %.3g and %.3g, and wait %.3g", t.compute[slow], t.between[slow], others(t.compute, slow), others(t.between, slow), others(t.wait, slow))
	var shards []float64
	for _, r := range ranks {
		shards = append(shards, float64(r.End-r.First))
	}
	mine, theirs := shards[slow], others(shards, slow)
	even := "set the number of shards (Shards.N, --shards) to a multiple of that of ranks, or start a number of ranks that divides it"
	var w *watch.Verdict
	switch {
	case mine > theirs && t.compute[slow]/t.compute[other(slow)] < 1.2*mine/max(1, shards[other(slow)]):
		w = verdict(fmt.Sprintf("%s, because it has %.0f of the %d shards of a batch and they have %.0f: %s", headline, mine, v.Header.Shards, theirs, even), evidence, nil, even)
	case t.between[slow]-others(t.between, slow) > t.compute[slow]-others(t.compute, slow) && slow == 0:
		w = verdict(headline+", because it writes records and checkpoints, or reads its part of a batch slowly: write checkpoints less often, and onto a fast disk", evidence, nil,
			"write fewer checkpoints within an epoch (Loop.CheckpointEvery), or the folder of the run onto a local disk", "look less often (Watch.Every, --watch)", "keep the data of rank 0 on a local disk")
	case t.between[slow]-others(t.between, slow) > t.compute[slow]-others(t.compute, slow):
		w = verdict(headline+", because it reads its part of a batch slowly: put its data on a fast disk", evidence, nil,
			"copy the data to a local disk of the host", "decode less for each example, or before the training", "see whether other programs use the disk or the network of the host")
	default:
		w = verdict(headline+", because it computes slower: look for other programs on its processor cores, and how many it has", evidence, nil,
			"end other programs on the host, or leave the host out", "give each rank as many cores as the others (mpirun --map-by slot:PE=N, srun --cpus-per-task), and --threads the same number",
			"see whether the processor of the host is older, or lowers its clock for heat")
	}
	w.Severity = Warning
	return w
}

// other returns a rank that is not the given one.
func other(rank int) int {
	if rank == 0 {
		return 1
	}
	return 0
}

// slowExchange judges what the ranks send.
func slowExchange(v *view) *watch.Verdict {
	t := timesOf(v.History)
	if t == nil || t.looks < fewestRankLooks {
		return nil
	}
	step := t.step()
	share := median(t.exchange) / step
	if !(share > 0.5) {
		return nil
	}
	w := verdict(fmt.Sprintf("the %d ranks spend %.0f %% of each step on summing gradients and updating, and %.0f %% on computing: take larger batches, fewer ranks, or a faster network", len(t.compute), 100*share, 100*median(t.compute)/step),
		fmt.Sprintf("seconds of a step: %.3g computing, %.3g exchanging and updating", median(t.compute), median(t.exchange)), nil,
		"take a larger batch, with the learning rate that suits it", "start fewer ranks, with more threads each, and no more on a host than it has cores for", "see that MPI uses the fast network of the hosts (docs/cluster.md)")
	w.Severity = Warning
	return w
}

// Ranks tells how the ranks of a training have shared their work lately, as a table; "" if there is one process alone.
func Ranks(h *watch.History) string {
	t := timesOf(h)
	if t == nil {
		return ""
	}
	var hosts []string
	for _, r := range h.Header.Ranks {
		if !slices.Contains(hosts, r.Host) {
			hosts = append(hosts, r.Host)
		}
	}
	on := "one host"
	if len(hosts) > 1 {
		on = fmt.Sprintf("%d hosts", len(hosts))
	}
	var b strings.Builder
	step := t.step()
	fmt.Fprintf(&b, "%d ranks on %s share the %d shards of each batch; a step takes %.3g s, of which they\n", len(t.compute), on, h.Header.Shards, step)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "rank\thost\tshards\tcompute\tread and write\twait\texchange\t")
	share := func(x float64) string {
		if math.IsNaN(x) {
			return "unknown"
		}
		return fmt.Sprintf("%.0f %%", 100*x/step)
	}
	for r, rank := range h.Header.Ranks {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t\n", r, rank.Host, shardNames(rank), share(t.compute[r]), share(t.between[r]), share(t.wait[r]), share(t.exchange[r]))
	}
	w.Flush()
	return b.String()
}

// shardNames lists the shards of a rank.
func shardNames(r watch.Rank) string {
	if r.End-r.First == 1 {
		return fmt.Sprint(r.First)
	}
	return fmt.Sprintf("%d-%d", r.First, r.End-1)
}
