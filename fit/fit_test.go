package fit_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/fit"
	_ "github.com/seed-49005b45/tarn/internal/testgc"
	"github.com/seed-49005b45/tarn/predict"
)

// flats is a table of flats with what tables have: a quantity, a category, a bool, missing values, an id, and a target.
func flats(rows int, seed uint64, target func(size float64, city string, lift bool, r *rand.Rand) string) string {
	r := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	b.WriteString("id,size,city,lift,floor,target\n")
	for i := range rows {
		size := 20 + 100*r.Float64()
		city := []string{"Bonn", "Köln", "Ulm"}[r.IntN(3)]
		lift := r.IntN(2) == 0
		floor := ""
		if r.IntN(5) > 0 {
			floor = fmt.Sprint(r.IntN(9))
		}
		fmt.Fprintf(&b, "%d,%.2f,%s,%v,%s,%s\n", i+1, size, city, lift, floor, target(size, city, lift, r))
	}
	return b.String()
}

func price(size float64, city string, lift bool, r *rand.Rand) string {
	p := 3*size + 100*math.Sin(size/12) + map[string]float64{"Bonn": 100, "Köln": 200, "Ulm": 0}[city]
	if lift {
		p += 0.8 * size
	}
	return fmt.Sprintf("%.2f", p+5*r.NormFloat64())
}

func sold(size float64, city string, lift bool, r *rand.Rand) string {
	if math.Sin(size/8)+map[bool]float64{true: 1, false: -1}[lift == (city == "Ulm")]+0.3*r.NormFloat64() > 0 {
		return "yes"
	}
	return "no"
}

func read(t *testing.T, text string) *table.Table {
	t.Helper()
	out, err := table.Read(strings.NewReader(text), table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func model(t *testing.T, text string, o fit.Options) *fit.Model {
	t.Helper()
	m, err := fit.Table(context.Background(), read(t, text), o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestTable fits a quantity and classes that no linear model can, looks at what the model says of itself, saves it, and asks it about new rows.
func TestTable(t *testing.T) {
	for _, c := range []struct {
		name   string
		target func(size float64, city string, lift bool, r *rand.Rand) string
		metric string
		least  float64 // of the model
		most   float64 // of the linear model
	}{
		{"price", price, "R2", 0.97, 0.93},
		{"sold", sold, "accuracy", 0.88, 0.8},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := model(t, flats(400, 1, c.target), fit.Options{Target: "target"})
			if m.About.Metrics[c.metric] < c.least || m.About.Linear[c.metric] > c.most {
				t.Errorf("%s: model %.3f, linear %.3f, baseline %.3f; share %v penalty %v temperature %v", c.metric, m.About.Metrics[c.metric], m.About.Linear[c.metric], m.About.Baseline[c.metric], m.About.Share, m.About.Penalty, m.About.Temperature)
			}
			if d := m.Schema().Column("id"); d.Role != table.LeftOut {
				t.Errorf("the id is a %s", d.Role)
			}
			if top := m.About.Importance[0].Column; top != "size" && top != "lift" {
				t.Errorf("the most important column is %s: %v", top, m.About.Importance)
			}
			path := filepath.Join(t.TempDir(), "m.tarn")
			if err := m.Save(path); err != nil {
				t.Fatal(err)
			}
			again, err := fit.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(again.About, m.About) {
				t.Errorf("about the model read again: %+v, not %+v", again.About, m.About)
			}
			text := flats(300, 2, c.target)
			later, err := table.Read(strings.NewReader(text), table.Options{Schema: again.Schema()})
			if err != nil {
				t.Fatal(err)
			}
			e, err := again.Evaluate(context.Background(), later)
			if err != nil {
				t.Fatal(err)
			}
			if e.Metrics[c.metric] < c.least-0.03 {
				t.Errorf("%s on new rows is %.3f", c.metric, e.Metrics[c.metric])
			}
			a, err := m.Predict(context.Background(), later)
			if err != nil {
				t.Fatal(err)
			}
			b, err := again.Predict(predict.WithShares(context.Background()), later.Take([]int{0, 1, 2}))
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				sum := 0.0
				for _, s := range b.Shares[i] {
					sum += s
				}
				if len(b.Shares[i]) != 4 || sum == 0 {
					t.Errorf("shares %v", b.Shares[i])
				}
				if a.Values != nil && math.Abs(a.Values[i]-b.Values[i]) > 1e-4*math.Abs(a.Values[i]) || a.Labels != nil && a.Labels[i] != b.Labels[i] {
					t.Errorf("row %d: the model read again answers otherwise", i)
				}
			}
			if a.Values != nil {
				within := 0
				truth, _ := table.Values(later, again.Schema().Target())
				for i, v := range truth {
					if a.Low[i] <= v && v <= a.High[i] {
						within++
					}
				}
				if share := float64(within) / 300; share < 0.84 || share > 0.97 {
					t.Errorf("%.2f of the truth is within the interval", share)
				}
			}
		})
	}
}

// TestOddTargets leaves out rows whose target is a word among numbers, when a model is made and when it is measured.
func TestOddTargets(t *testing.T) {
	lines := strings.SplitAfter(flats(60, 5, price), "\n")
	i := strings.LastIndexByte(lines[8], ',')
	lines[8] = lines[8][:i] + ",unknown\n"
	m := model(t, strings.Join(lines, ""), fit.Options{Target: "target", Family: fit.Linear})
	if m.About.Rows != 59 || !strings.Contains(strings.Join(m.About.Notes, "; "), `1 row whose "target" is no number`) || !(m.About.Metrics["R2"] > 0.5) {
		t.Errorf("%d rows, R2 %v, notes %q", m.About.Rows, m.About.Metrics["R2"], m.About.Notes)
	}
	rows := read(t, strings.Replace(strings.Join(lines, ""), ",unknown\n", ",\n", 1)) // the column has numbers and a missing one
	before := slices.Clone(rows.Column("target").Numbers)
	if e, err := m.Evaluate(context.Background(), rows); err != nil || e.Rows != 59 || !slices.EqualFunc(before, rows.Column("target").Numbers, func(a, b float64) bool { return a == b || a != a && b != b }) {
		t.Errorf("measured: %v; or the table is no longer what it was", err)
	}
	e, err := m.Evaluate(context.Background(), read(t, strings.Join(lines, "")))
	if err != nil || e.Rows != 59 || !(e.Metrics["R2"] > 0.5) {
		t.Errorf("measured: %+v %v", e, err)
	}
}

// TestImportanceOfMany measures some of many columns, and among them those that matter.
func TestImportanceOfMany(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var columns []*table.Column
	target := make([]float64, 200)
	for k := range 300 {
		values := make([]float64, len(target))
		for i := range values {
			if values[i] = r.NormFloat64(); k == 7 || k == 150 || k == 299 {
				target[i] += values[i]
			}
		}
		columns = append(columns, table.Numbers(fmt.Sprintf("x%d", k), values...))
	}
	rows, err := table.New(append(columns, table.Numbers("y", target...))...)
	if err != nil {
		t.Fatal(err)
	}
	m, err := fit.Table(context.Background(), rows, fit.Options{Target: "y", Family: fit.Linear, Folds: 2})
	if err != nil {
		t.Fatal(err)
	}
	im := m.About.Importance
	if len(im) != 64 {
		t.Fatalf("%d columns are measured", len(im))
	}
	top := []string{im[0].Column, im[1].Column, im[2].Column}
	slices.Sort(top)
	if !slices.Equal(top, []string{"x150", "x299", "x7"}) {
		t.Errorf("the most important columns are %v", im[:5])
	}
}

// TestFamilies fits each kind of model, saves it and asks it again.
func TestFamilies(t *testing.T) {
	later := read(t, flats(50, 2, sold))
	for _, family := range append(fit.Families, fit.Both) {
		for _, periodic := range []bool{false, true} {
			if periodic && (family == fit.Linear || family == fit.Transformer) {
				continue
			}
			for name, target := range map[string]func(size float64, city string, lift bool, r *rand.Rand) string{"sold": sold, "price": price} {
				if testing.Short() && (name == "sold") == periodic {
					continue
				}
				m := model(t, flats(150, 1, target), fit.Options{Target: "target", Family: family, Periodic: periodic, Epochs: 4, Folds: 2})
				var b bytes.Buffer
				if err := m.Write(&b); err != nil {
					t.Fatal(err)
				}
				again, err := fit.Read(bytes.NewReader(b.Bytes()), int64(b.Len()))
				if err != nil {
					t.Fatalf("%s: %v", family, err)
				}
				x, err := m.Predict(context.Background(), later)
				if err != nil {
					t.Fatal(err)
				}
				y, err := again.Predict(context.Background(), later)
				if err != nil || !reflect.DeepEqual(x, y) {
					t.Errorf("%s of %s answers otherwise once it is read again (%v)", family, name, err)
				}
				if share := m.About.Share; family == fit.Linear && share != 0 || family != fit.Linear && family != fit.Both && share != 1 {
					t.Errorf("the share of the network of family %q is %v", family, share)
				}
			}
		}
	}
}

// TestSameBits shows that a table and a seed always give the same file, and dialects of one table the same weights.
func TestSameBits(t *testing.T) {
	text := flats(120, 3, sold)
	o := fit.Options{Target: "target", Epochs: 3}
	var a, b, c bytes.Buffer
	if err := model(t, text, o).Write(&a); err != nil {
		t.Fatal(err)
	}
	if err := model(t, text, o).Write(&b); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two models of one table differ")
	}
	other := strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(text, ",", ";"), ".", ","), "\n", "\r\n")
	if err := model(t, other, o).Write(&c); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), c.Bytes()) {
		t.Error("two dialects of one table give different models")
	}
}

func TestRefusals(t *testing.T) {
	text := flats(40, 4, price)
	for _, c := range []struct {
		name, text string
		o          fit.Options
		want       string
	}{
		{"no target", text, fit.Options{}, "there is no target"},
		{"unknown target", text, fit.Options{Target: "prize"}, `"prize": there is no such column; there are id, size`},
		{"constant", strings.ReplaceAll(strings.ReplaceAll(text, "true", "false"), "lift", "target2"), fit.Options{Target: "target2"}, "nothing to learn"},
		{"names", text, fit.Options{Target: "id", Task: fit.Classify}, "too many for classes"},
		{"words", text, fit.Options{Target: "city", Task: fit.Regress}, "no numbers"},
		{"few numbers", "a,b\n" + strings.Repeat("1,2\n2,3\n3,4\n", 3) + strings.Repeat("1,x\n", 3), fit.Options{Target: "b", Task: fit.Regress, Kinds: map[string]table.Kind{"b": table.Numeric}}, "9 rows with a number"},
		{"large values", "a,b\n" + strings.Repeat("1,2\n2,3e200\n", 10), fit.Options{Target: "b", Task: fit.Regress}, `line 3: column "b": the value 3e+200 is too large`},
		{"few rows", "a,b\n1,2\n2,3\n", fit.Options{Target: "b"}, "at least 10 are needed"},
		{"task", text, fit.Options{Target: "city", Task: "sort"}, `task "sort"`},
		{"split", text, fit.Options{Target: "city", SplitBy: "moon"}, "there are random, order, time:COLUMN and group:COLUMN"},
		{"time", text, fit.Options{Target: "target", SplitBy: "time:city"}, "neither dates nor numbers"},
		{"weights", text, fit.Options{Target: "target", Weights: "balanced"}, "balanced weights are for classes"},
		{"share", text, fit.Options{Target: "target", Valid: 1}, "cannot judge"},
	} {
		if _, err := fit.Table(context.Background(), read(t, c.text), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}
