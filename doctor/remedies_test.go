package doctor_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/doctor/remedy"
	"github.com/seed-49005b45/tarn/internal/plot"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/watch"
)

// This file tries the remedies on the sick trainings: whether those that the verdicts name cure, and what cures in any case. With -update it
// writes the tables and the picture of docs/remedies.md.

var update = flag.Bool("update", false, "measure docs/remedies.md anew")

const (
	remediesPage    = "../docs/remedies.md"
	remediesPicture = "../docs/remedies.png"
)

// trials is the training of a case for package remedy.
func (c *training) trials(t *testing.T, seed uint64) *remedy.Training {
	t.Helper()
	if err := tarn.Init(c.model, seed); err != nil {
		t.Fatal(err)
	}
	if c.init != nil {
		c.init(c.model)
	}
	return &remedy.Training{Model: c.model.(nn.Layer), Loss: c.loss, Optimizer: func(rate float64, _ int) optim.Optimizer { return c.opt.with(rate) }, Rate: c.opt.rate, Train: c.set, Valid: c.valid, Input: "x", Target: "label",
		Batch: c.batch, Epochs: c.epochs, Seed: seed}
}

// byHand are the faults that only a person can mend: no remedy is expected to cure them.
var byHand = []string{"labels", "no-gradient", "validation", "unrelated-labels", "plateau"}

// tried is what became of a case with all remedies.
type tried struct {
	training
	*remedy.Report
	cures map[*remedy.Remedy]bool
}

// named reports whether one of the first n remedies that the first verdict names cures.
func (r *tried) named(n int) bool {
	if len(r.Before.Verdicts) == 0 {
		return false
	}
	advice := r.Before.Verdicts[0].Remedies
	return slices.ContainsFunc(advice[:min(n, len(advice))], func(a string) bool { m := remedy.Advised(a); return m != nil && r.cures[m] })
}

// mendable reports whether a remedy may cure a case.
func (c *training) mendable() bool {
	return len(c.kinds) > 0 && (!slices.Contains(byHand, c.kinds[0]) || strings.HasPrefix(c.name, "binary targets")) && !strings.Contains(c.name, "numbers below 0")
}

// tryAll tries remedies on all sick cases that can be mended: those of the first three pieces of advice, or all.
func tryAll(t *testing.T, seed uint64, remedies func(before []watch.Verdict) []*remedy.Remedy) (all []tried) {
	for _, c := range trainings() {
		if !c.mendable() {
			continue
		}
		verdicts, _ := c.judge(t, seed)
		r, err := remedy.Try(t.Context(), c.trials(t, seed), remedies(verdicts))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if len(r.Before.Verdicts) == 0 && r.Before.Well() {
			continue // it learns with these weights
		}
		one := tried{c, r, map[*remedy.Remedy]bool{}}
		for i := range r.Trials {
			if r.Cured(&r.Trials[i]) {
				one.cures[r.Trials[i].Remedy] = true
			}
		}
		all = append(all, one)
	}
	return all
}

// count counts the cases that the first remedy named cures, one of the first three, and any remedy at all.
func count(all []tried) (first, three, any int) {
	for _, r := range all {
		if r.named(1) {
			first++
		}
		if r.named(3) {
			three++
		}
		if len(r.cures) > 0 {
			any++
		}
	}
	return first, three, any
}

// TestRemedies asserts that the remedies that the verdicts name help.
func TestRemedies(t *testing.T) {
	if os.Getenv("TARN_LONG") == "" {
		t.Skip("set TARN_LONG=1 to try what is advised on every sick training")
	}
	var all []tried
	for seed := range uint64(remedySeeds) {
		all = append(all, tryAll(t, seed+1, func(before []watch.Verdict) []*remedy.Remedy {
			if len(before) == 0 {
				return nil
			}
			first := before[0]
			first.Remedies = first.Remedies[:min(3, len(first.Remedies))]
			return remedy.For([]watch.Verdict{first})
		})...)
	}
	for _, r := range all {
		var names []string
		for _, m := range remedy.Table {
			if r.cures[m] {
				names = append(names, m.Name)
			}
		}
		verdict := "none"
		if v := r.Before.Verdicts; len(v) > 0 {
			verdict = v[0].Rule
		}
		t.Logf("%-40s %-22s first cures: %-5t one of three: %-5t cures: %s", r.name, verdict, r.named(1), r.named(3), strings.Join(names, ", "))
	}
	first, three, _ := count(all)
	t.Logf("of %d sick trainings that can be mended without a person the first remedy named cures %d, one of the first three %d", len(all), first, three)
	if 4*first < 3*len(all) || 20*three < 19*len(all) {
		t.Error("these are less than 75 % cured by the first remedy named and 95 % by one of the first three")
	}
}

// TestAdvice asserts that what a verdict advises is a remedy of the table, or known to be for a person.
func TestAdvice(t *testing.T) {
	persons := []string{"add a small number", "use the fused form", "check ", "shuffle ", "look ", "train ", "keep zeros", "set ", "or use nn.NLL", "use Softplus", "skip such batches",
		"raise the learning rate for", "augment", "take a smaller network", "give it inputs", "read the sequence", "average the weights",
		"weigh the classes", "draw the classes", "judge by", "prepare the validation", "number the classes", "give the last layer", "use a loss for numbers", "load trained", "normalize before the attention"}
	source, err := os.ReadFile("rules.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, m := range remedy.Table {
		if remedy.Find(m.Name) != m {
			t.Errorf("Find(%q) is another", m.Name)
		}
	}
	for i, c := range trainings() {
		if len(c.kinds) == 0 || i%8 != 0 {
			continue
		}
		verdicts, _ := c.judge(t, 1)
		for _, v := range verdicts {
			for _, a := range v.Remedies {
				found++
				if remedy.Advised(a) == nil && !slices.ContainsFunc(persons, func(p string) bool { return strings.HasPrefix(a, p) }) {
					t.Errorf("%s advises %q, which no remedy stands for", v.Rule, a)
				}
			}
		}
	}
	for _, p := range persons {
		if !strings.Contains(string(source), `"`+p) {
			t.Errorf("no rule advises %q any more", p)
		}
	}
	if found < 12 {
		t.Errorf("only %d pieces of advice", found)
	}
}

// classic are the remedies of the first table.
var classic = []string{"ReLU", "Leaky ReLU", "ELU", "SELU", "GELU", "He initialization", "Xavier initialization", "LSUV initialization", "batch normalization", "layer normalization",
	"residual connections", "fewer layers", "Adam", "RMSprop", "rate / 10", "rate x 10", "rate of the range test", "warm-up", "decay of the rate", "clipping", "dropout", "weight decay", "batches x 8",
	"normalized inputs", "clipped inputs", "orthogonal recurrent weights", "more units", "weight decay / 100", "warm-up to a tenth of the rate"}

// faults are the columns of that table.
var faults = []struct{ name, rule string }{
	{"vanishing", "vanishing-gradients"}, {"exploding", "exploding-gradients"}, {"in time", "recurrent-gradients"}, {"large weights", "large-init"}, {"saturated", "saturation"}, {"dead ReLUs", "dead-relu"},
	{"zero weights", "zero-init"}, {"equal weights", "symmetric-init"}, {"inputs' scale", "input-scale"}, {"outliers", "input-outliers"}, {"rate too large", "large-rate"}, {"too small", "small-rate"},
	{"no warm-up", "no-warm-up"}, {"weight decay", "weight-decay"}, {"underfitting", "underfitting"}, {"overfitting", "overfitting"},
}

// How often trainings are measured with what is advised, and with every remedy.
const (
	remedySeeds = 3
	tableSeeds  = 1
)

// TestRemediesTable asserts that docs/remedies.md has the tables, and writes them with -update.
func TestRemediesTable(t *testing.T) {
	page, err := os.ReadFile(remediesPage)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- measured -->\n", "<!-- end -->\n"
	before, rest, ok := strings.Cut(string(page), begin)
	old, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no lines %q and %q", remediesPage, begin, end)
	}
	if !*update {
		for _, name := range classic {
			if remedy.Find(name) == nil || !strings.Contains(old, "| "+name+" |") {
				t.Errorf("%s has no row for %s: run go test ./doctor -run TestRemediesTable -update", remediesPage, name)
			}
		}
		return
	}
	var all []tried
	for seed := range uint64(tableSeeds) {
		all = append(all, tryAll(t, seed+1, func([]watch.Verdict) []*remedy.Remedy { return remedy.Table })...)
	}
	healed := heal(t)
	if err := os.WriteFile(remediesPage, []byte(before+begin+remediesTables(all)+healed+end+after), 0o666); err != nil {
		t.Fatal(err)
	}
}

func remediesTables(all []tried) string {
	var b strings.Builder
	b.WriteString("| remedy |")
	for _, f := range faults {
		b.WriteString(" " + f.name + " |")
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(faults)) + "\n")
	for _, name := range classic {
		m := remedy.Find(name)
		fmt.Fprintf(&b, "| %s |", name)
		for _, f := range faults {
			cured, tries := 0, 0
			for _, r := range all {
				if r.kinds[0] != f.rule {
					continue
				}
				at := slices.IndexFunc(r.Trials, func(x remedy.Trial) bool { return x.Remedy == m })
				if r.Trials[at].Err == nil {
					tries++
				}
				if r.cures[m] {
					cured++
				}
			}
			switch {
			case tries == 0:
				b.WriteString(" |")
			case cured == 0:
				fmt.Fprintf(&b, " 0/%d |", tries)
			default:
				fmt.Fprintf(&b, " **%d**/%d |", cured, tries)
			}
		}
		b.WriteString("\n")
	}
	first, three, any := count(all)
	fmt.Fprintf(&b, "\nOf %d sick trainings, the first remedy that the doctor names cures %d, one of its first three %d, and any of the table %d.\n\n", len(all), first, three, any)
	b.WriteString("| training | verdict | first remedy named | cures | what cures it |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range all {
		verdict, advice, cures := "none", "", "no"
		if v := r.Before.Verdicts; len(v) > 0 {
			verdict, advice = v[0].Rule, v[0].Remedies[0]
		}
		if r.named(1) {
			cures = "yes"
		}
		var names []string
		for _, m := range remedy.Table {
			if r.cures[m] {
				names = append(names, m.Name)
			}
		}
		if len(names) > 5 {
			names = append(names[:5], fmt.Sprintf("%d more", len(names)-5))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.name, verdict, advice, cures, strings.Join(names, ", "))
	}
	return b.String() + "\n"
}

// heal draws a deep network of sigmoids before and after.
func heal(t *testing.T) string {
	c := trainings()[0]
	kept := []string{"residual connections", "batch normalization", "ReLU"}
	var remedies []*remedy.Remedy
	for _, name := range kept {
		remedies = append(remedies, remedy.Find(name))
	}
	r, err := remedy.Try(t.Context(), c.trials(t, 1), remedies)
	if err != nil {
		t.Fatal(err)
	}
	loss := plot.Chart{Title: "loss of " + c.name + ", 10 layers", X: "update", Y: "loss"}
	flow := plot.Chart{Title: "gradient that arrives at a layer, first look (logarithmic)", X: "layer", Y: "norm", LogY: true, Counts: true}
	for i, x := range append([]remedy.Trial{r.Before}, r.Trials...) {
		name := "as it is"
		if i > 0 {
			name = kept[i-1]
		}
		line, depth := plot.Line{Name: name}, plot.Line{Name: name, Knots: true}
		for _, s := range x.History.Steps {
			line.X, line.Y = append(line.X, float64(s.Run)), append(line.Y, float64(s.Loss))
		}
		n := 0
		for j := range x.History.Header.Layers {
			if slices.ContainsFunc(x.History.Header.Params, func(p watch.Param) bool { return p.Layer == j && len(p.Shape) == 2 }) {
				n++
				depth.X, depth.Y = append(depth.X, float64(n)), append(depth.Y, float64(x.History.Steps[0].Layers.GradNorm[j]))
			}
		}
		loss.Lines, flow.Lines = append(loss.Lines, line), append(flow.Lines, depth)
	}
	f, err := os.Create(remediesPicture)
	if err != nil {
		t.Fatal(err)
	}
	if err := plot.WriteCharts(f, flow, loss); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	v := r.Before.Verdicts[0]
	return fmt.Sprintf("## A network that is healed\n\nTen layers of sigmoids learn nothing. The doctor says:\n\n> %s: %s\n>\n> evidence: %s\n\nand `remedy.Try` shows what helps:\n\n    %s\n![the gradient that arrives at each layer, and the loss, before and after](remedies.png)\n",
		v.Severity, v.Headline, v.Evidence, strings.ReplaceAll(r.String(), "\n", "\n    "))
}
