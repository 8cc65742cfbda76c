package report_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/fit"
	"github.com/seed-49005b45/tarn/fit/report"
)

// shops is a table with names that HTML and Markdown would take for their own.
func shops(t *testing.T) *table.Table {
	var b strings.Builder
	b.WriteString("<b>area</b>,place|town,kind,income\n")
	for i := range 90 {
		fmt.Fprintf(&b, "%d,%s,%s,%d\n", i*37%90, []string{"<script>", "a|b", "c"}[i%3], []string{"x", "y", "z"}[i*37%90/30], 3*(i*37%90)+i%5)
	}
	tab, err := table.Read(strings.NewReader(b.String()), table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// TestReport writes the report of a model of three classes, of two, and of a quantity.
func TestReport(t *testing.T) {
	for target, want := range map[string][]string{
		"kind":       {"confusion.png", "roc.png", "precision-recall.png", "calibration.png", "importance.png", "learning.png"},
		"income":     {"residuals.png", "importance.png", "learning.png"},
		"place|town": {"confusion.png", "roc.png"},
	} {
		tab := shops(t)
		m, err := fit.Table(context.Background(), tab, fit.Options{Target: target, Epochs: 2, Folds: 2})
		if err != nil {
			t.Fatal(err)
		}
		m.About.Command = "tarn fit `x`"
		r, err := report.New(m, m.Judged(), "rows that it has not learned from", "<b>area</b>", "place|town")
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "a", "b")
		if err := r.WriteFolder(dir); err != nil {
			t.Fatal(err)
		}
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if !slices.Contains(report.Files, e.Name()) {
				t.Errorf("%s: there is a file %s", target, e.Name())
			}
		}
		page, _ := os.ReadFile(filepath.Join(dir, "index.html"))
		for _, name := range want {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() < 1000 {
				t.Errorf("%s: no %s: %v", target, name, err)
			}
		}
		if n := bytes.Count(page, []byte("data:image/png;base64,")); n != len(entries)-3 {
			t.Errorf("%s: the page has %d pictures, the folder %d", target, n, len(entries)-3)
		}
		for _, bad := range []string{"<script", "http://", "https://", "<b>area"} {
			if bytes.Contains(page, []byte(bad)) {
				t.Errorf("%s: the page has %s", target, bad)
			}
		}
		var again report.Report
		text, _ := os.ReadFile(filepath.Join(dir, "report.json"))
		if err := json.Unmarshal(text, &again); err != nil || again.About.Target != target || len(again.Slices) != 2 || again.Evaluation.Rows != 90 {
			t.Errorf("%s: report.json: %v", target, err)
		}
		card, _ := os.ReadFile(filepath.Join(dir, "MODEL.md"))
		if strings.Contains(string(card), "<script>") || !strings.Contains(string(card), "## Limits") || !strings.Contains(string(card), "By place\\|town:") {
			t.Errorf("%s: the card is\n%s", target, card)
		}
		if _, err := report.New(m, m.Judged(), "", "none"); err == nil {
			t.Error("slices by a column that is not there")
		}
	}
	if _, err := report.New(nil, nil, ""); err == nil {
		t.Error("a report of nothing")
	}
}

// TestLater writes the report of a model that was read from a file, about later rows, and its card alone.
func TestLater(t *testing.T) {
	tab := shops(t)
	m, err := fit.Table(context.Background(), tab, fit.Options{Target: "income", Family: fit.Linear})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.tarn")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	if m, err = fit.Load(path); err != nil {
		t.Fatal(err)
	}
	if _, err := report.New(m, m.Judged(), ""); err == nil {
		t.Error("a report of what a file does not know")
	}
	e, err := m.Evaluate(context.Background(), tab.Take([]int{1, 5, 9, 13}))
	if err != nil {
		t.Fatal(err)
	}
	r, err := report.New(m, e, "four rows")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.WriteCard(&b); err != nil || !strings.Contains(b.String(), "## How good it is on four rows") {
		t.Errorf("%v\n%s", err, b.String())
	}
	if err := r.WriteFolder(t.TempDir()); err != nil {
		t.Error(err)
	}
	b.Reset()
	if err := report.WriteCard(&b, m); err != nil || !strings.Contains(b.String(), "- kind: linear models") {
		t.Errorf("%v\n%s", err, b.String())
	}
}
