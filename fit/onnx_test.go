package fit

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/interop/onnx"
)

var exported = flag.String("export", "", "folder in which TestONNX leaves models, rows and answers for testdata/check_onnx.py")

// mixed is a table of numbers, some of them missing, words, and yes or no.
func mixed(t *testing.T, target func(i int) string) *table.Table {
	var b strings.Builder
	b.WriteString("size,color,old,weight,target\n")
	for i := range 120 {
		size, color := fmt.Sprint(float64(i*37%50)/7), []string{"red", "green", "blue", "", "very blue"}[i*11%5]
		if i%9 == 0 {
			size = ""
		}
		fmt.Fprintf(&b, "%s,%s,%s,%d,%s\n", size, color, []string{"yes", "no"}[i*5%7%2], i*53%31, target(i))
	}
	tab, err := table.Read(strings.NewReader(b.String()), table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// TestONNX writes models of tables, and compares what they answer with the models.
func TestONNX(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: trains three models")
	}
	for name, target := range map[string]func(i int) string{
		"two":      func(i int) string { return []string{"bad", "good"}[i*37%50/26] },
		"three":    func(i int) string { return []string{"a", "b", "c"}[i*53%31/11] },
		"quantity": func(i int) string { return fmt.Sprint(float64(i*37%50)*0.3 + float64(i*53%31)) },
	} {
		t.Run(name, func(t *testing.T) {
			rows := mixed(t, target)
			m, err := Table(context.Background(), rows, Options{Target: "target", Epochs: 4, Seed: 3})
			if err != nil {
				t.Fatal(err)
			}
			b, err := m.ONNX(0)
			if err != nil {
				t.Fatal(err)
			}
			file, err := onnx.Read(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			if got := file.Metadata()["target"]; got != "target" {
				t.Errorf("the target is %q", got)
			}
			in := onnx.Columns{Numbers: map[string][]float64{}, Words: map[string][]string{}}
			for _, info := range file.Inputs() {
				c := rows.Column(info.Name)
				for i := range rows.Rows() {
					if info.Type == "string" {
						in.Words[info.Name] = append(in.Words[info.Name], c.Text(i))
						continue
					}
					in.Numbers[info.Name] = append(in.Numbers[info.Name], c.Numbers[i])
				}
			}
			got, err := file.RunColumns(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			want, err := m.Predict(context.Background(), rows)
			if err != nil {
				t.Fatal(err)
			}
			var numbers []float64
			for _, p := range want.Probabilities {
				numbers = append(numbers, p...)
			}
			numbers = append(numbers, want.Values...)
			output := "probabilities"
			if name == "quantity" {
				output = "value"
			}
			for i, v := range got.Numbers[output] {
				if math.Abs(v-numbers[i]) > 1e-5*(1+math.Abs(v)) {
					t.Fatalf("number %d is %v, want %v", i, v, numbers[i])
				}
			}
			if len(got.Numbers[output]) != len(numbers) || !slices.Equal(got.Words["label"], want.Labels) {
				t.Errorf("the labels are %v, want %v", got.Words["label"], want.Labels)
			}
			if *exported != "" {
				text, err := json.Marshal(map[string]any{"words": in.Words, "missing": missing(in.Numbers), "numbers": in.Numbers, "answers": numbers, "labels": want.Labels})
				if err != nil {
					t.Fatal(err)
				}
				for suffix, contents := range map[string][]byte{".onnx": b, ".json": text} {
					if err := os.WriteFile(filepath.Join(*exported, name+suffix), contents, 0o666); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// missing takes the places of NaN out of numbers, which JSON does not have, and returns them.
func missing(numbers map[string][]float64) map[string][]int {
	places := map[string][]int{}
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		for i, v := range numbers[name] {
			if v != v {
				places[name] = append(places[name], i)
				numbers[name][i] = 0
			}
		}
	}
	return places
}
