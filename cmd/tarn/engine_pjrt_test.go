//go:build pjrt

package main

import (
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// TestEngine runs commands on a plugin and on the CPU, in turn on the same runs and models, and compares the numbers that they print.
func TestEngine(t *testing.T) {
	e, err := tarn.OpenEngine("pjrt")
	if err != nil {
		if os.Getenv("TARN_PJRT_PLUGIN") == "" {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	if e == nil {
		t.Fatal("no engine")
	}
	defer tarn.Use(nil)
	t.Chdir(t.TempDir())
	table := "size,color,price\n"
	for i := range 200 {
		color := []string{"red", "green", "blue"}[i%3]
		table += strconv.Itoa(i%17) + "," + color + "," + strconv.Itoa(3*(i%17)+10*(i%3)) + "\n"
	}
	if err := os.WriteFile("data.csv", []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	mnist := "train mnist --examples 600 --epochs 1 --hidden 16 --quiet --threads 2"
	for _, step := range []struct {
		line      string
		tolerance float64 // of numbers; negative not to compare
	}{
		{"train linreg --steps 200", 1e-3},
		{mnist + " --out ENGINE", -1},
		{"eval cpu", 1e-3},
		{"eval pjrt", 1e-3},
		{"bench --once linreg mlp-small", 1e-5},
		{"fit data.csv --target price --family mlp --hidden 8 --members 1 --cv 2 --epochs 2 --out ENGINE.tarn", -1},
		{"evaluate cpu.tarn data.csv", 1e-3},
		{"evaluate pjrt.tarn data.csv", 1e-3},
		{"predict cpu.tarn data.csv", 1e-3},
	} {
		t.Run(step.line, func(t *testing.T) {
			printed := map[string]string{}
			for _, engine := range []string{"cpu", "pjrt"} {
				line := strings.ReplaceAll(step.line, "ENGINE", engine)
				printed[engine], _ = command(t, 0, append(strings.Fields(line), "--engine", engine)...)
			}
			if step.tolerance >= 0 {
				compareNumbers(t, printed["pjrt"], printed["cpu"], step.tolerance)
			}
		})
	}
	t.Run("serve", func(t *testing.T) {
		answers := map[string]string{}
		for _, engine := range []string{"cpu", "pjrt"} {
			s := startServe(t, "cpu.tarn", "--addr", "localhost:0", "--engine", engine)
			for _, size := range []string{"3", "11"} { // the second finds its program compiled
				status, text := askServed(t, http.DefaultClient, s.address+"predict", `{"size": `+size+`, "color": "green"}`)
				if status != http.StatusOK {
					t.Fatalf("on %s it answers %d: %s", engine, status, text)
				}
				answers[engine] += text
			}
			status, text := askServed(t, http.DefaultClient, s.address+"predict", table, "Content-Type", "text/csv")
			if status != http.StatusOK || strings.Count(text, "\n") != strings.Count(table, "\n") {
				t.Fatalf("on %s it answers %d to a table: %s", engine, status, text)
			}
			answers[engine] += text
			if code := s.stop(); code != 0 {
				t.Errorf("on %s it ends with the code %d: %s", engine, code, s.text())
			}
		}
		compareNumbers(t, answers["pjrt"], answers["cpu"], 1e-3)
	})
	// A run goes on where it was begun on the other engine.
	for _, pair := range [][2]string{{"cpu", "pjrt"}, {"pjrt", "cpu"}} {
		if out, _ := command(t, 0, "train", "mnist", "--resume", pair[0], "--epochs", "2", "--engine", pair[1]); !strings.Contains(out, "test accuracy") {
			t.Errorf("begun on %s, resumed on %s: %s", pair[0], pair[1], out)
		}
		if log, err := os.ReadFile(filepath.Join(pair[0], "log.jsonl")); err != nil || strings.Count(string(log), "\n") != 2 {
			t.Errorf("the log has %q, %v", log, err)
		}
	}
}

// compareNumbers compares two texts that are equal but for numbers.
func compareNumbers(t *testing.T, got, want string, tolerance float64) {
	t.Helper()
	number := regexp.MustCompile(`-?\d+(\.\d+)?(e[-+]?\d+)?`)
	a, b := number.FindAllString(got, -1), number.FindAllString(want, -1)
	if len(a) == 0 || len(a) != len(b) || number.ReplaceAllString(got, "") != number.ReplaceAllString(want, "") && !strings.Contains(want, " s") {
		t.Fatalf("it prints\n%s\nand on the CPU\n%s", got, want)
	}
	for i := range a {
		x, _ := strconv.ParseFloat(a[i], 64)
		y, _ := strconv.ParseFloat(b[i], 64)
		if math.Abs(x-y) > tolerance*max(1, math.Abs(y)) {
			t.Errorf("it prints %s and on the CPU %s in\n%s", a[i], b[i], got)
		}
	}
}
