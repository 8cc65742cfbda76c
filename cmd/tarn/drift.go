package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file holds check FILE --model M, which compares a table with what a model has learned from.

// drift compares and prints. It fails if the model cannot read a column.
func (c *checkCommand) drift(env *environment) error {
	m, err := loadModel(c.Model)
	if err != nil {
		return err
	}
	t, err := loadFor(c.What, c.dialectFlags.options(), m.Schema())
	if err != nil {
		return err
	}
	if t.Rows() == 0 {
		return fmt.Errorf("%s has no rows", shownName(c.What))
	}
	all := m.Drift(t)
	if all == nil {
		return fmt.Errorf("%s reads texts, pictures or a series, and check compares columns of numbers and words: measure it on the new rows with tarn evaluate", file.Name(c.Model))
	}
	broken, moved := 0, 0
	for _, d := range all {
		switch d.Verdict() {
		case "broken":
			broken++
		case "moved", "moved far":
			moved++
		}
	}
	var extra []string
	for _, name := range t.Names() {
		if d := m.Schema().Column(name); d == nil {
			extra = append(extra, name)
		}
	}
	if c.JSON {
		type line struct {
			table.Drift
			Verdict string `json:"verdict"`
		}
		lines := []line{}
		for _, d := range all {
			lines = append(lines, line{d, d.Verdict()})
		}
		e := json.NewEncoder(env.stdout)
		e.SetIndent("", " ")
		if err := e.Encode(map[string]any{"rows": t.Rows(), "columns": lines, "extra": append([]string{}, extra...)}); err != nil {
			return err
		}
	} else {
		c.print(env, t, all, extra, moved)
	}
	if broken > 0 {
		return fmt.Errorf("the model cannot read %d of its %d columns in %s", broken, len(all), shownName(c.What))
	}
	return nil
}

// print prints the table of columns, and what is wrong below it.
func (c *checkCommand) print(env *environment, t *table.Table, all []table.Drift, extra []string, moved int) {
	fmt.Fprintf(env.stdout, "%s: %s, %s, %s\n", shownName(c.What), list.Count(t.Rows(), "row"), list.Count(len(t.Columns), "column"), printable(t.Dialect.String()))
	w := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "column\ttype\tPSI\tby chance\tmissing\tthen\tmedian\tthen\tunseen\tverdict\t")
	for _, d := range all {
		if d.Problem != "" {
			fmt.Fprintf(w, "%s\t%s\t\t\t\t\t\t\t\tbroken\t\n", list.Name(d.Column), d.Kind)
			continue
		}
		psi, chance, median, then := "", "", "", ""
		if d.Kind != table.Text {
			psi, chance = fmt.Sprintf("%.3f", d.PSI), fmt.Sprintf("%.3f", d.Chance)
		}
		if d.Kind == table.Numeric {
			median, then = fmt.Sprintf("%.4g", d.Median), fmt.Sprintf("%.4g", d.WasMedian)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.0f %%\t%.0f %%\t%s\t%s\t%d\t%s\t\n", list.Name(d.Column), d.Kind, psi, chance, 100*d.Missing, 100*d.WasMissing, median, then, d.Unseen, d.Verdict())
	}
	w.Flush()
	for _, d := range all {
		switch {
		case d.Problem != "":
			fmt.Fprintf(env.stdout, "%s: %s\n", list.Name(d.Column), printable(strings.TrimPrefix(d.Problem, "table: ")))
		case d.Unseen > 0:
			what := "never seen in training"
			if d.Kind == table.Numeric || d.Kind == table.Date {
				what = "outside of the range of the training"
			}
			fmt.Fprintf(env.stdout, "%s: %s with values %s, such as %s\n", list.Name(d.Column), list.Count(d.Unseen, "row"), what, list.Names(d.Examples))
		}
	}
	if extra != nil {
		fmt.Fprintf(env.stdout, "the model does not know and leaves out: %s\n", list.Names(extra))
	}
	broken := slices.ContainsFunc(all, func(d table.Drift) bool { return d.Problem != "" })
	if moved == 0 && !broken {
		fmt.Fprintln(env.stdout, "the values lie as they did in training")
	} else if moved > 0 {
		fmt.Fprintf(env.stdout, "moved: %s; measure the model on rows like these (tarn evaluate), and make it anew of them if its answers are worse\n", list.Count(moved, "column"))
	}
}
