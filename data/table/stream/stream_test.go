package stream_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/data/table/stream"
)

// text is a table of 1000 rows, in each tenth of which the target is missing.
func text() string {
	var b strings.Builder
	b.WriteString("size,kind,price,sold\n")
	for i := range 1000 {
		price := fmt.Sprint(10 + i)
		if i%10 == 9 {
			price = ""
		}
		fmt.Fprintf(&b, "%d,%s,%s,%s\n", i%37, []string{"flat", "house", "barn"}[i%3], price, []string{"yes", "no"}[i%2])
	}
	return b.String()
}

// TestOpen compares a stream with the features of the whole table.
func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "houses.csv")
	if err := os.WriteFile(path, []byte(text()), 0o644); err != nil {
		t.Fatal(err)
	}
	whole, err := table.Load(path, table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for target, classes := range map[string][]string{"price": nil, "sold": {"no", "yes"}} {
		schema, err := table.Infer(whole, table.Hints{Target: target, Drop: []string{map[string]string{"price": "sold", "sold": "price"}[target]}})
		if err != nil {
			t.Fatal(err)
		}
		var rows []int
		for i := range 200 {
			rows = append(rows, i)
		}
		e, err := table.Fit(schema, whole, rows, nil, table.Settings{TargetLevels: -1})
		if err != nil {
			t.Fatal(err)
		}
		s, err := stream.Open(path, e, stream.Options{Classes: classes, Rows: 64})
		if err != nil {
			t.Fatal(err)
		}
		f, err := e.Encode(whole)
		if err != nil {
			t.Fatal(err)
		}
		row, seen := 0, 0
		for b, err := range s.Batches(50, data.Options{}).All(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.N {
				for target == "price" && row%10 == 9 {
					row++
				}
				want := float64(10 + row)
				if classes != nil {
					want = float64(1 - row%2)
				}
				if b.Tensor("numbers").Float(i) != float64(f.Numbers[row]) || b.Tensor("codes").Float(i) != float64(f.Codes[row]) || b.Tensor("target").Float(i) != want {
					t.Fatalf("%s: row %d: %v %v %v, want %v %v %v", target, row, b.Tensor("numbers").Float(i), b.Tensor("codes").Float(i), b.Tensor("target").Float(i), f.Numbers[row], f.Codes[row], want)
				}
				row++
				seen++
			}
			if classes != nil && b.Tensor("target").DType() != tarn.I32 {
				t.Errorf("classes are %v", b.Tensor("target").DType())
			}
		}
		if want := map[string]int{"price": 900, "sold": 1000}[target]; seen != want {
			t.Errorf("%s: %d rows, want %d", target, seen, want)
		}
		for _, c := range []struct {
			path string
			e    *table.Encoder
			o    stream.Options
			want string
		}{
			{path, nil, stream.Options{}, "the encoder is nil"},
			{path + "x", e, stream.Options{}, "houses.csvx"},
			{path, e, stream.Options{Rows: -1}, "-1 rows"},
			{path, e, stream.Options{Classes: []string{"a", "a"}}, "two classes"},
			{path, e, stream.Options{Classes: []string{"a", "b"}}, `line 2: column "` + target + `": `},
		} {
			if _, err := stream.Open(c.path, c.e, c.o); err == nil || !strings.HasPrefix(err.Error(), "stream: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: error %v, want %q", target, err, c.want)
			}
		}
	}
}
