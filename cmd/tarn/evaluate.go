package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/fit"
	"github.com/seed-49005b45/tarn/fit/report"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file holds evaluate, which measures a model on a table.

// evaluateCommand has the arguments of evaluate.
type evaluateCommand struct {
	Model string `arg:"" help:"A model that tarn fit made."`
	File  string `arg:"" help:"A table with the model's columns and the target: CSV, TSV, Parquet, or FILE#TABLE of an SQLite database; - is the standard input."`
	By    names  `placeholder:"COLUMN,..." help:"Also say how good the answers are for each value of these columns, which the model need not read."`
	dialectFlags
	engineFlags
	Report    string `placeholder:"DIR" help:"Folder for a report: a page, the same as JSON, pictures and a model card."`
	JSON      bool   `name:"json" help:"Print everything as JSON."`
	FailUnder bounds `placeholder:"METRIC=VALUE,..." help:"Fail with exit code 1 if a metric is worse, as in auc=0.85,accuracy=0.8: below the value, or above it if smaller is better, as of rmse, mae, log-loss and calibration-error."`
	Force     bool   `help:"Replace files of --report that are there already."`
}

// bounds are "metric=value,...".
type bounds map[string]float64

// plain is the name of a metric as one may write it.
func plain(metric string) string {
	return strings.ToLower(strings.NewReplacer(" ", "-", "_", "-").Replace(metric))
}

// UnmarshalText parses "auc=0.85,log-loss=0.4".
func (b *bounds) UnmarshalText(text []byte) error {
	*b = bounds{}
	for part := range strings.SplitSeq(string(text), ",") {
		name, value, found := strings.Cut(part, "=")
		v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		name = plain(strings.TrimSpace(name))
		switch {
		case !found || name == "" || err != nil || v != v:
			return fmt.Errorf("%s is not METRIC=VALUE, as in auc=0.85", list.Quote(part))
		case !slices.Contains(metricNames, name):
			return fmt.Errorf("there is no metric %s; there are %s", list.Quote(name), list.Names(metricNames))
		}
		(*b)[name] = v
	}
	return nil
}

// metricNames are the metrics that --fail-under knows.
var metricNames = []string{"accuracy", "auc", "balanced-accuracy", "f1", "log-loss", "calibration-error", "rmse", "mae", "r2"}

// Validate checks the flags; kong calls it.
func (c *evaluateCommand) Validate() error { return c.dialectFlags.check() }

// Run measures.
func (c *evaluateCommand) Run(env *environment) error {
	if c.File == "-" && env.ranks() > 1 {
		return agreedError{errStandardInput}
	}
	var err error
	if env.rank() == 0 {
		err = freeFolder(c.Report, c.Force, report.Files)
	}
	var m *fit.Model
	if err == nil {
		m, err = loadModel(c.Model)
	}
	if err := env.agree(err); err != nil {
		return err
	}
	if err := env.sameFile("the model", c.Model); err != nil {
		return err
	}
	var t *table.Table
	var paths []string // of pictures
	if m.ReadsPictures() && isFolder(c.File) {
		t, paths, err = picturesOf(c.File, m.About.Target)
	} else {
		t, err = loadFor(c.File, c.dialectFlags.options(), m.Schema())
	}
	if err := env.agree(err); err != nil {
		return err
	}
	m.Comm = env.comm
	e, err := m.Evaluate(env.ctx, t)
	var r *report.Report
	if err == nil {
		r, err = report.New(m, e, "the rows of "+shownName(c.File), c.By...)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", shownName(c.File), cure(inPicture(paths, err), m))
	}
	if err := env.agree(err); err != nil {
		return err
	}
	return env.agree(c.show(env, m, r))
}

// show prints what has been measured, and writes the report. Of several ranks it is rank 0 that is seen.
func (c *evaluateCommand) show(env *environment, m *fit.Model, r *report.Report) error {
	if c.JSON {
		if err := r.WriteJSON(env.stdout); err != nil {
			return err
		}
	} else {
		describeEvaluation(env.stdout, m, r)
	}
	if c.Report != "" && env.rank() == 0 {
		if err := r.WriteFolder(c.Report); err != nil {
			return err
		}
		fmt.Fprintf(env.stderr, "wrote %s\n", file.Name(c.Report+"/index.html"))
	}
	return c.FailUnder.check(r.Evaluation)
}

// check returns an error if a metric is worse than its bound.
func (b bounds) check(e *fit.Evaluation) error {
	var worse []string
	for _, name := range metricNames {
		bound, asked := b[name]
		if !asked {
			continue
		}
		value, there := 0.0, false
		metric := ""
		for k, v := range e.Metrics {
			if plain(k) == name {
				metric, value, there = k, v, true
			}
		}
		switch {
		case !there:
			return fmt.Errorf("--fail-under: %s is not known of these rows", name)
		case fit.SmallerIsBetter(metric) && value > bound:
			worse = append(worse, fmt.Sprintf("%s is %s, above %v", metric, number(value), bound))
		case !fit.SmallerIsBetter(metric) && value < bound:
			worse = append(worse, fmt.Sprintf("%s is %s, below %v", metric, number(value), bound))
		}
	}
	if worse != nil {
		return fmt.Errorf("--fail-under: %s", strings.Join(worse, "; "))
	}
	return nil
}

// describeEvaluation prints metrics, confusions and slices.
func describeEvaluation(w io.Writer, m *fit.Model, r *report.Report) {
	e := r.Evaluation
	fmt.Fprintf(w, "%s with %s\n", list.Count(e.Rows, "row"), list.Name(m.About.Target))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tbaseline\tmodel\t\tin training\t")
	var names []string
	for _, name := range m.About.MetricNames() {
		v, there := e.Metrics[name]
		if !there {
			continue
		}
		names = append(names, name)
		spread := ""
		if s := e.Errors[name]; s > 0 {
			spread = "+- " + number(s)
		}
		base := ""
		if b, there := e.Baseline[name]; there {
			base = number(b)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t\n", name, base, number(v), spread, number(m.About.Metrics[name]))
	}
	t.Flush()
	if n := len(e.Classes); n > 0 && n <= 20 {
		fmt.Fprintln(w, "\nclass, down, and what it was taken for:")
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		for _, name := range e.Classes {
			fmt.Fprintf(t, "\t%s", list.Name(name))
		}
		fmt.Fprintln(t, "\trecall\tprecision\t")
		for i, name := range e.Classes {
			fmt.Fprint(t, list.Name(name))
			for _, count := range e.Confusion[i] {
				fmt.Fprintf(t, "\t%d", count)
			}
			fmt.Fprintf(t, "\t%.3f\t%.3f\t\n", e.PerClass[i].Recall, e.PerClass[i].Precision)
		}
		t.Flush()
	}
	for _, s := range r.Slices {
		fmt.Fprintln(w)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintf(t, "%s\trows\t%s\t\n", list.Name(s.Column), strings.Join(names, "\t"))
		for _, one := range s.Slices {
			fmt.Fprintf(t, "%s\t%d\t", list.Name(one.Name), one.Rows)
			for _, name := range names {
				if v, there := one.Metrics[name]; there {
					fmt.Fprint(t, number(v))
				}
				fmt.Fprint(t, "\t")
			}
			fmt.Fprintln(t)
		}
		t.Flush()
	}
}
