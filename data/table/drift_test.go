package table_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/data/table"
)

// shopsOf is a table of random rows.
func shopsOf(t *testing.T, seed uint64, rows int, change func(area float64, town string, open string) (string, string, string)) *table.Table {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 3))
	var b strings.Builder
	b.WriteString("area,town,open,day\n")
	for range rows {
		area := 50 + 20*r.NormFloat64()
		town, open := []string{"Ulm", "Bonn", "Köln", "Bonn"}[r.IntN(4)], []string{"yes", "no"}[r.IntN(2)]
		a, c, d := change(area, town, open)
		fmt.Fprintf(&b, "%s,%s,%s,2024-%02d-%02d\n", a, c, d, 1+r.IntN(12), 1+r.IntN(28))
	}
	out, err := table.Read(strings.NewReader(b.String()), table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func same(area float64, town, open string) (string, string, string) {
	return fmt.Sprintf("%.3f", area), town, open
}

// TestDrift compares rows with those that an encoder has learned from: of the same kind in twenty draws, and moved in one column each.
func TestDrift(t *testing.T) {
	learned := shopsOf(t, 1, 800, same)
	s, err := table.Infer(learned, table.Hints{})
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]int, learned.Rows())
	for i := range rows {
		rows[i] = i
	}
	e, err := table.Fit(s, learned, rows, nil, table.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(20) {
		for _, d := range e.Drift(shopsOf(t, 100+seed, 200, same)) {
			if v := d.Verdict(); v == "moved far" || v == "moved" && d.PSI > 1.5*d.Chance {
				t.Errorf("seed %d: %s is %s: %+v", seed, d.Column, v, d)
			}
		}
	}
	for _, c := range []struct {
		name, column, verdict string
		unseen                int
		change                func(area float64, town, open string) (string, string, string)
	}{
		{"larger", "area", "moved far", -1, func(a float64, b, c string) (string, string, string) { return fmt.Sprint(a + 30), b, c }},
		{"missing", "area", "moved far", -1, func(a float64, b, c string) (string, string, string) {
			if int(a)%2 == 0 {
				return "", b, c
			}
			return fmt.Sprint(a), b, c
		}},
		{"a new town", "town", "moved far", 0, func(a float64, b, c string) (string, string, string) {
			return fmt.Sprint(a), strings.ReplaceAll(b, "Ulm", "Rome"), c
		}},
		{"another word for yes", "open", "", 0, func(a float64, b, c string) (string, string, string) {
			return fmt.Sprint(a), b, map[string]string{"yes": "true", "no": "false"}[c]
		}},
		{"always open", "open", "moved far", 0, func(a float64, b, c string) (string, string, string) { return fmt.Sprint(a), b, "yes" }},
		{"a word", "area", "broken", 0, func(a float64, b, c string) (string, string, string) { return "large", b, c }},
	} {
		later := shopsOf(t, 7, 300, c.change)
		for _, d := range e.Drift(later) {
			want := ""
			if d.Column == c.column {
				want = c.verdict
				if (d.Unseen > 0) != (c.name == "a new town") && c.unseen == 0 {
					t.Errorf("%s: %d values are unseen, such as %v", c.name, d.Unseen, d.Examples)
				}
			}
			if d.Verdict() != want {
				t.Errorf("%s: %s is %q, want %q: %+v", c.name, d.Column, d.Verdict(), want, d)
			}
		}
	}
	absent, err := table.New(table.Numbers("Area", 1, 2), table.Words("town", "Ulm", ""))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range e.Drift(absent) {
		if (d.Column == "town") == (d.Verdict() == "broken") || d.Column == "area" && !strings.Contains(d.Problem, `is it called "Area" now?`) {
			t.Errorf("%+v", d)
		}
	}
}
