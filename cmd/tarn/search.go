package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/seed-49005b45/tarn/fit"
	"github.com/seed-49005b45/tarn/fit/search"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file holds search, which looks for settings.

// searchCommand has the arguments of search.
type searchCommand struct {
	File   string        `arg:"" help:"A table: CSV or TSV, packed with gzip or zstd or not; a Parquet file; or FILE#TABLE of an SQLite database."`
	Target string        `required:"" placeholder:"COLUMN" help:"Column to predict."`
	Out    string        `placeholder:"FILE" help:"File of the best model so far, by default that of the table with .tarn at its end. The trials go to a file beside it, with .trials.jsonl at its end."`
	Trials int           `default:"30" help:"Settings to try (30)."`
	Time   time.Duration `placeholder:"10m" help:"Stop after this time; --resume goes on later."`
	Space  string        `placeholder:"FILE" help:"JSON file with what may be drawn, as {\"widths\": [64, 128], \"rate\": [1e-4, 1e-2]}; also families, periodic, layers, members, decay and dropout."`
	Resume bool          `help:"Go on with the trials that are there."`
	dataFlags
	dialectFlags
	engineFlags
	JSON  bool `name:"json" help:"Print the result as JSON."`
	Force bool `help:"Begin anew, and replace the files that are there."`
	Quiet bool `short:"q" help:"Say nothing but errors and the best command."`
}

// Validate checks the flags; kong calls it.
func (c *searchCommand) Validate() error {
	switch {
	case c.Trials < 1 || c.Trials > 1_000_000:
		return fmt.Errorf("--trials is %d and should be from 1 to 1000000", c.Trials)
	case c.Time < 0:
		return fmt.Errorf("--time is %v and should be positive", c.Time)
	case c.Resume && c.Force:
		return errors.New("--resume and --force exclude each other: go on, or begin anew")
	}
	if err := c.dataFlags.check(); err != nil {
		return err
	}
	return c.dialectFlags.check()
}

// space reads what may be drawn.
func (c *searchCommand) space() (search.Space, error) {
	s := search.Usual()
	if c.Space == "" {
		return s, nil
	}
	content, err := file.Read(c.Space, 1<<20)
	if err != nil {
		return s, err
	}
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("%s: %w", file.Name(c.Space), err)
	}
	for i, f := range s.Families {
		if f == "both" {
			s.Families[i] = fit.Both
		}
	}
	return s, nil
}

// Run searches.
func (c *searchCommand) Run(env *environment) error {
	if c.File == "-" {
		return usageError{errors.New("a search reads its table again if it goes on: it must be a file, and not the standard input")}
	}
	out := c.Out
	if out == "" {
		out = modelName(c.File)
	}
	trials := strings.TrimSuffix(out, ".tarn") + ".trials.jsonl"
	if c.Resume {
		if _, err := os.Stat(trials); err != nil {
			return fmt.Errorf("--resume: there is no file of trials: %w", err)
		}
	} else {
		if err := free(trials, c.Force); err != nil {
			return fmt.Errorf("%w; --resume goes on", err)
		}
		if err := free(out, c.Force); err != nil {
			return err
		}
	}
	space, err := c.space()
	if err != nil {
		return err
	}
	words := env.stderr
	if c.Quiet {
		words = io.Discard
	}
	base := c.dataFlags.options()
	t, err := loadWithout(c.File, c.dialectFlags.options(), &base)
	if err != nil {
		return err
	}
	fmt.Fprintf(words, "%s: %s, %s, %s\n", shownName(c.File), list.Count(t.Rows(), "row"), list.Count(len(t.Columns), "column"), printable(t.Dialect.String()))
	base.Target = c.Target
	if c.Test != "" {
		if base.Test, err = load(c.Test, c.dialectFlags.options()); err != nil {
			return fmt.Errorf("--test: %w", err)
		}
	}
	plan, err := fit.Prepare(t, base)
	if err != nil {
		return err
	}
	for _, n := range plan.Notes {
		fmt.Fprintf(words, "warning: %s\n", printable(n))
	}
	metric := "RMSE"
	if plan.Task == fit.Classify {
		metric = "log loss"
	}
	fmt.Fprintf(words, "split: %s\n%6s %5s %8s %10s %10s  %s\n", printable(plan.Split), "trial", "work", "seconds", metric, "best", "settings")
	if !c.Resume { // all that was there is to be replaced
		if err := os.Remove(trials); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	ctx := env.ctx
	if c.Time > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Time)
		defer cancel()
	}
	best := 0.0
	r, err := search.Run(ctx, t, search.Options{Base: base, Space: space, Trials: c.Trials, Seed: c.Seed, File: trials,
		Progress: func(t search.Trial) {
			if t.Rung == 2 && (best == 0 || t.Loss < best) {
				best = t.Loss
			}
			shown := ""
			if best != 0 {
				shown = number(best)
			}
			known := ""
			if t.Known {
				known = "  (done before)"
			}
			fmt.Fprintf(words, "%6d %5s %8.1f %10s %10s  %s%s\n", t.Number, []string{"1/9", "1/3", "1"}[t.Rung], t.Seconds, number(t.Loss), shown, settingFlags(t.Settings), known)
		},
		Save: func(m *fit.Model, s search.Settings) error {
			m.About.Source, m.About.Command = filepath.Base(c.File), fitOf(env.args, s)
			return m.Save(out)
		}})
	if err != nil {
		if env.ctx.Err() != nil {
			return fmt.Errorf("interrupted; to go on, add --resume: %w", err)
		}
		return err
	}
	if c.JSON {
		e := json.NewEncoder(env.stdout)
		e.SetIndent("", " ")
		err = e.Encode(map[string]any{"best": r.Best, "usual": r.Usual, "trials": r.Trials, "importance": r.Importance, "command": fitOf(env.args, r.Best.Settings), "model": out, "settled": r.Settled})
	} else {
		c.describe(words, r, metric)
		_, err = fmt.Fprintln(env.stdout, fitOf(env.args, r.Best.Settings))
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(words, "wrote %s and %s\n", file.Name(out), file.Name(trials))
	if !r.Settled {
		fmt.Fprintln(words, "there is more to try: --resume goes on")
	}
	if env.ctx.Err() != nil {
		return fmt.Errorf("interrupted: %s is the best model so far; --resume goes on", file.Name(out))
	}
	return nil
}

// describe prints the best settings beside the usual ones, and which settings matter.
func (c *searchCommand) describe(w io.Writer, r *search.Result, metric string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tusual\tbest\t")
	for _, name := range r.Model.About.MetricNames() {
		fmt.Fprintf(t, "%s\t%s\t%s\t\n", name, number(r.Usual.Metrics[name]), number(r.Best.Metrics[name]))
	}
	t.Flush()
	if spread := r.Model.About.Errors[metric]; r.Best.Number == 0 {
		fmt.Fprintln(w, "the usual settings are the best ones")
	} else if r.Usual.Loss-r.Best.Loss < spread {
		fmt.Fprintf(w, "note: the difference in %s is smaller than its standard error, %s, and the best of many trials looks better than it is: the usual settings may be as good\n", metric, number(spread))
	}
	if r.Importance != nil {
		var parts []string
		for _, i := range r.Importance {
			parts = append(parts, fmt.Sprintf("%s %.0f %%", i.Setting, 100*i.Share))
		}
		fmt.Fprintf(w, "what each setting alone explains of the differences: %s\n", list.Names(parts))
	}
}

// settingFlags are the flags of tarn fit for some settings.
func settingFlags(s search.Settings) string {
	if s.Hidden == nil {
		return "the usual ones"
	}
	var parts []string
	if s.Family != fit.Both {
		parts = append(parts, "--family "+string(s.Family))
	}
	if s.Family == fit.Linear {
		return parts[0]
	}
	if s.Periodic {
		parts = append(parts, "--periodic")
	}
	parts = append(parts, "--hidden "+strings.Trim(strings.ReplaceAll(fmt.Sprint(s.Hidden), " ", ","), "[]"))
	if s.Family == fit.Both || s.Family == fit.Perceptrons {
		parts = append(parts, fmt.Sprintf("--members %d", s.Members))
	}
	return strings.Join(append(parts, fmt.Sprintf("--rate %v --decay %v --dropout %v", s.Rate, s.Decay, max(0, s.Dropout))), " ")
}

// fitOf is the command line of tarn fit that makes the model of some settings, of the command line of the search.
func fitOf(args []string, s search.Settings) string {
	var rest []string
	for i := 1; i < len(args); i++ {
		switch name, _, joined := strings.Cut(args[i], "="); name {
		case "--time", "--trials", "--space", "--out":
			if !joined {
				i++ // its value
			}
		case "--resume", "--force", "--json", "--quiet", "-q":
		default:
			rest = append(rest, args[i])
		}
	}
	line := repeatable(append([]string{"fit"}, rest...))
	if s.Hidden != nil {
		line += " " + settingFlags(s)
	}
	return line
}
