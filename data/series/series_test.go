package series_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/data/series"
	"github.com/seed-49005b45/tarn/data/table"
)

// read is a table of a text.
func read(t *testing.T, text string) *table.Table {
	t.Helper()
	out, err := table.Read(strings.NewReader(text), table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// shops are two series of days, out of order, one with a day that is not there and one with a value that is not.
const shops = `shop,day,sales,price
b,2024-01-03,3,1
a,2024-01-02,20,2
a,2024-01-01,10,1
b,2024-01-01,1,1
b,2024-01-02,2,1
a,2024-01-03,30,3
a,2024-01-04,,4
a,2024-01-05,50,5
a,2024-01-06,60,6
b,2024-01-06,6,1
b,2024-01-07,7,1
b,2024-01-08,8,1
`

func TestRead(t *testing.T) {
	tab := read(t, shops)
	all, err := series.Read(tab, series.Options{Time: "day", Group: "shop", Columns: []string{"sales", "price"}})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, s := range all {
		got += fmt.Sprint(s.Group, s.Values, s.Rows, s.Step, "\n")
	}
	const want = `b[[1 2 3] [1 1 1]] [3 4 0] 86400
b[[6 7 8] [1 1 1]] [9 10 11] 86400
a[[10 20 30] [1 2 3]] [2 1 5] 86400
a[[50 60] [5 6]] [7 8] 86400
`
	if strings.ReplaceAll(got, " \n", "\n") != want {
		t.Errorf("the series are\n%swant\n%s", got, want)
	}
	set, places, err := series.Windows(all, 2, 1, 1)
	if err != nil || !slices.Equal(places, []series.Place{{0, 2}, {1, 2}, {2, 2}}) {
		t.Fatal(places, err)
	}
	past, err := set.Tensor("past")
	if err != nil || !slices.Equal(past.Floats(), []float64{1, 1, 2, 1, 6, 1, 7, 1, 10, 1, 20, 2}) {
		t.Errorf("%v %v", past, err)
	}
	next, err := set.Tensor("next")
	if err != nil || !slices.Equal(next.Floats(), []float64{3, 8, 30}) {
		t.Errorf("%v %v", next, err)
	}
	lagged, err := series.Lags(tab, series.Options{Time: "day", Group: "shop", Columns: []string{"sales"}}, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	none := math.NaN()
	for name, want := range map[string][]float64{
		"sales_lag1": {2, 10, none, none, 1, 20, none, none, 50, none, 6, 7},
		"sales_lag2": {1, none, none, none, none, 10, none, none, none, none, none, 6},
	} {
		if got := lagged.Column(name).Numbers; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	// Months are neighbors, and rows without a time are in order.
	months := read(t, "month,y\n2023-11,1\n2023-12,2\n2024-01,3\n2024-02,4\n2024-03,5\n")
	for _, o := range []series.Options{{Time: "month", Columns: []string{"y"}}, {Columns: []string{"y"}}} {
		all, err := series.Read(months, o)
		if err != nil || len(all) != 1 || !slices.Equal(all[0].Values[0], []float64{1, 2, 3, 4, 5}) {
			t.Errorf("%+v: %v %v", o, all, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	tab := read(t, shops)
	none := read(t, "day,y\n2024-01-01,1\n,2\n2024-01-03,3\n2024-01-04,4\n2024-01-05,4\n")
	good := series.Options{Time: "day", Group: "shop", Columns: []string{"sales"}}
	all, err := series.Read(tab, good)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		f    func() error
		want string
	}{
		"nil":        {func() error { _, err := series.Read(nil, good); return err }, "the table is nil"},
		"no columns": {func() error { _, err := series.Read(tab, series.Options{}); return err }, "no columns"},
		"column":     {func() error { _, err := series.Read(tab, series.Options{Columns: []string{"x"}}); return err }, `no column "x"`},
		"words":      {func() error { _, err := series.Read(tab, series.Options{Columns: []string{"shop"}}); return err }, "shop"},
		"time": {func() error {
			_, err := series.Read(tab, series.Options{Time: "x", Columns: []string{"sales"}})
			return err
		}, `no column "x"`},
		"no time": {func() error {
			_, err := series.Read(none, series.Options{Time: "day", Columns: []string{"y"}})
			return err
		}, `line 3: column "day": there is no time`},
		"group": {func() error {
			_, err := series.Read(tab, series.Options{Group: "x", Columns: []string{"sales"}})
			return err
		}, `no column "x"`},
		"twice": {func() error {
			_, err := series.Read(tab, series.Options{Time: "day", Columns: []string{"sales"}})
			return err
		}, "is there twice: if there are several series"},
		"gap": {func() error {
			_, err := series.Read(tab, series.Options{Gap: 0.5, Columns: []string{"sales"}})
			return err
		}, "a gap of 0.5"},
		"long":      {func() error { _, _, err := series.Windows(all, 3, 2, 1); return err }, "which has 3"},
		"stride":    {func() error { _, _, err := series.Windows(all, 1, 1, 0); return err }, "every 0"},
		"lag":       {func() error { _, err := series.Lags(tab, good, 0); return err }, "a lag of 0"},
		"lag twice": {func() error { _, err := series.Lags(tab, good, 1, 1); return err }, "already"},
	} {
		if err := c.f(); err == nil || !strings.HasPrefix(err.Error(), "series: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}
