package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/fit"
	"github.com/seed-49005b45/tarn/fit/report"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file holds fit, which makes a model of a table.

// fitCommand has the arguments of fit.
type fitCommand struct {
	File   string `arg:"" help:"A table: CSV or TSV, packed with gzip or zstd or not; a Parquet file; or FILE#TABLE of an SQLite database; - is the standard input. Or a folder of pictures, with a folder in it for each class."`
	Target string `placeholder:"COLUMN" help:"Column to predict; of pictures, how their class is called (class)."`
	Out    string `placeholder:"FILE" help:"File of the model, by default that of the table with .tarn at its end."`
	Report string `placeholder:"DIR" help:"Folder for a report: a page, the same as JSON, pictures and a model card."`
	By     names  `placeholder:"COLUMN,..." help:"The report also says how good the answers are for each value of these columns."`
	dataFlags
	networkFlags
	dialectFlags
	mediaFlags
	engineFlags
	Time   string `placeholder:"2m" help:"Stop learning after this time and keep what has been learned so far. The result then depends on the speed of the machine. With --horizon: the column of times."`
	DryRun bool   `help:"Say what the columns are and how the rows are split, and learn nothing."`
	Schema string `placeholder:"FILE" help:"Take what the columns are from a file, as --dry-run --json prints it, instead of finding it out."`
	JSON   bool   `name:"json" help:"Print what is known of the model as JSON; with --dry-run the schema."`
	Force  bool   `help:"Replace files that are there already."`
	Quiet  bool   `short:"q" help:"Say nothing but errors."`
}

// dataFlags are the flags that say what is learned.
type dataFlags struct {
	Task      string  `enum:",classify,regress" default:"" placeholder:"TASK" help:"classify or regress; by default what the target looks like."`
	Type      kindsOf `placeholder:"COLUMN=KIND,..." help:"What columns are: numeric, category, bool, date, text, id or constant."`
	Drop      names   `placeholder:"COLUMN,..." help:"Columns to leave out."`
	Valid     float64 `placeholder:"SHARE" help:"Share of the rows that judge. By default all judge in turn (see --cv), and a fifth if there are more than 20,000."`
	CV        int     `name:"cv" placeholder:"FOLDS" help:"Number of parts into which the rows are dealt; each is judged by models of the others, and the model is the mean of all (5; 10 below 300 rows)."`
	Repeats   int     `default:"1" help:"How often the rows are dealt into parts; more models, and a little better answers (1)."`
	Test      string  `placeholder:"FILE" help:"Table that judges beside the rows, and from which nothing is learned."`
	SplitBy   string  `default:"random" placeholder:"HOW" help:"random; order, the last rows judge; time:COLUMN, the latest; group:COLUMN, no group is on both sides (random)."`
	Weights   string  `default:"none" placeholder:"HOW" help:"none; balanced, so that all classes count equally; or a column with the weight of each row (none)."`
	Threshold string  `default:"0.5" placeholder:"HOW" help:"Probability from which on the second of two classes is chosen; f1 for the best F1; cost:A:B if a wrong one costs A and a missed one B (0.5)."`
	Seed      uint64  `default:"1" help:"Seed of the split and of the weights (1). A table and a seed always give the same model."`
}

// networkFlags are the flags that say how it is learned.
type networkFlags struct {
	Family   string   `enum:"both,linear,mlp,resnet,transformer" default:"both" placeholder:"KIND" help:"both, a linear model and perceptrons in the shares that fit best; linear; mlp; resnet; or transformer, over the columns (both)."`
	Periodic bool     `help:"Encode numbers by sines of learned frequencies, and not by pieces."`
	Hidden   widths   `placeholder:"N,N..." help:"Widths of the hidden layers; by default two of 64 to 192, by the number of rows."`
	Epochs   int      `placeholder:"N" help:"Number of epochs at most; by default up to 200, as the usual amount of work allows."`
	Members  int      `placeholder:"N" help:"Perceptrons that share weights, of the families both and mlp (8)."`
	Rate     *float64 `placeholder:"RATE" help:"Learning rate of AdamW (2e-3)."`
	Decay    *float64 `placeholder:"DECAY" help:"Weight decay (3e-4)."`
	Dropout  *float64 `placeholder:"SHARE" help:"Share of units that are left out at random while the network learns (0.1)."`
}

// Validate checks the flags; kong calls it.
func (c *fitCommand) Validate() error {
	if err := c.dataFlags.check(); err != nil {
		return err
	}
	if err := c.networkFlags.check(); err != nil {
		return err
	}
	if c.Horizon < 0 || c.Horizon > 10_000 {
		return fmt.Errorf("--horizon is %d and should be from 1 to 10000", c.Horizon)
	}
	if c.Time != "" && c.Horizon == 0 {
		if d, err := time.ParseDuration(c.Time); err != nil || d <= 0 {
			return fmt.Errorf("--time is %s and should be a time such as 2m, or with --horizon a column", list.Quote(c.Time))
		}
	}
	return c.dialectFlags.check()
}

func (c *dataFlags) check() error {
	switch {
	case !(c.Valid >= 0 && c.Valid < 1):
		return fmt.Errorf("--valid is %v and should be at least 0 and below 1", c.Valid)
	case c.CV < 0 || c.CV == 1 || c.CV > 100:
		return fmt.Errorf("--cv is %d and should be from 2 to 100", c.CV)
	case c.Repeats < 1 || c.Repeats > 100:
		return fmt.Errorf("--repeats is %d and should be from 1 to 100", c.Repeats)
	case c.Valid > 0 && c.CV > 0:
		return errors.New("--valid and --cv exclude each other: one part of the rows judges, or all in turn")
	case c.Weights == "":
		return errors.New("--weights is empty")
	}
	for flag, o := range map[string]fit.Options{"split-by": {SplitBy: c.SplitBy}, "threshold": {Threshold: c.options().Threshold}} {
		o.Target = "target"
		if err := o.Check(); err != nil {
			return fmt.Errorf("--%s: %s", flag, strings.TrimPrefix(err.Error(), "fit: "))
		}
	}
	return nil
}

// options are the flags as package fit knows them, but for the target and the test table.
func (c *dataFlags) options() fit.Options {
	o := fit.Options{Task: fit.Task(c.Task), Kinds: c.Type, Drop: c.Drop, SplitBy: c.SplitBy, Valid: c.Valid, Folds: c.CV, Repeats: c.Repeats, Weights: c.Weights, Seed: c.Seed}
	if c.Threshold != "0.5" {
		o.Threshold = c.Threshold
	}
	return o
}

func (c *networkFlags) check() error {
	if c.Epochs < 0 || c.Epochs > 100_000 {
		return fmt.Errorf("--epochs is %d and should be from 1 to 100000", c.Epochs)
	}
	if c.Members < 0 || c.Members > 64 {
		return fmt.Errorf("--members is %d and should be from 1 to 64", c.Members)
	}
	if v := c.Rate; v != nil && !(*v > 0 && *v < 1000) {
		return fmt.Errorf("--rate is %v and should be above 0 and below 1000", *v)
	}
	if v := c.Decay; v != nil && !(*v > 0 && *v < 1000) {
		return fmt.Errorf("--decay is %v and should be above 0 and below 1000", *v)
	}
	if v := c.Dropout; v != nil && !(*v >= 0 && *v < 1) {
		return fmt.Errorf("--dropout is %v and should be at least 0 and below 1", *v)
	}
	if c.Hidden != nil {
		return c.Hidden.check()
	}
	return nil
}

// set sets what the flags say in the options.
func (c *networkFlags) set(o *fit.Options) {
	o.Hidden, o.Periodic, o.Members, o.Epochs = c.Hidden, c.Periodic, c.Members, c.Epochs
	if c.Family != "both" {
		o.Family = fit.Family(c.Family)
	}
	if c.Rate != nil {
		o.Rate = *c.Rate
	}
	if c.Decay != nil {
		o.Decay = *c.Decay
	}
	if c.Dropout != nil {
		if o.Dropout = *c.Dropout; o.Dropout == 0 {
			o.Dropout = -1
		}
	}
}

// Run makes the model.
func (c *fitCommand) Run(env *environment) error {
	// A large table is most of the memory and hardly changes: collecting more often costs little, and keeps what is not used small.
	defer debug.SetGCPercent(debug.SetGCPercent(25))
	if done, err := c.media(env); done || err != nil {
		return err
	}
	if c.Target == "" {
		return usageError{errors.New("missing flags: --target=COLUMN")}
	}
	if c.DryRun && (c.Out != "" || c.Report != "") {
		return usageError{errors.New("--dry-run writes nothing: --out and --report have no effect with it")}
	}
	if c.Schema != "" && (c.Type != nil || c.Drop != nil) {
		return usageError{errors.New("--schema says what the columns are: --type and --drop have no effect with it")}
	}
	if env.given["epochs"] && c.Epochs == 0 {
		return usageError{errors.New("--epochs is 0 and should be from 1 to 100000")}
	}
	if env.given["members"] && c.Members == 0 {
		return usageError{errors.New("--members is 0 and should be from 1 to 64")}
	}
	if len(c.By) > 0 && c.Report == "" {
		return usageError{errors.New("--by has no effect without --report")}
	}
	out := c.Out
	if out == "" {
		out = modelName(c.File)
	}
	if !c.DryRun {
		if err := errors.Join(free(out, c.Force), freeFolder(c.Report, c.Force, report.Files)); err != nil {
			return err
		}
	}
	words := env.stderr
	if c.Quiet {
		words = io.Discard
	}
	options := c.dataFlags.options()
	c.networkFlags.set(&options)
	options.Target = c.Target
	t, err := c.table(&options)
	if err != nil {
		return err
	}
	fmt.Fprintf(words, "%s: %s, %s, %s\n", shownName(c.File), list.Count(t.Rows(), "row"), list.Count(len(t.Columns), "column"), printable(t.Dialect.String()))
	for _, name := range c.By {
		if t.Column(name) == nil {
			return usageError{fmt.Errorf("--by: there is no column %s; there are %s", list.Quote(name), list.Names(t.Names()))}
		}
	}
	if c.Test != "" {
		if options.Test, err = load(c.Test, c.dialectFlags.options()); err != nil {
			return fmt.Errorf("--test: %w", err)
		}
	}
	progress := &progressLine{w: words, live: isTerminal(words)}
	options.Progress = progress.show
	plan, err := fit.Prepare(t, options)
	if err != nil {
		return err
	}
	describePlan(words, plan)
	if c.DryRun {
		if c.JSON {
			_, err := plan.Schema.WriteTo(env.stdout)
			return err
		}
		return nil
	}
	ctx := env.ctx
	if limit, _ := time.ParseDuration(c.Time); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	m, err := plan.Fit(ctx)
	progress.end()
	if m == nil && err != nil {
		if env.ctx.Err() != nil {
			return errors.New("interrupted before anything had been learned: nothing is written")
		}
		if ctx.Err() != nil {
			return fmt.Errorf("nothing had been learned after --time %s: give it more", c.Time)
		}
		return err
	}
	m.About.Source = filepath.Base(c.File)
	if c.File == "-" {
		m.About.Source = "standard input"
	}
	m.About.Command = repeatable(env.args)
	describeModel(words, m)
	if err := writeTo(env, out, m.Write); err != nil {
		return err
	}
	if c.Report != "" {
		r, err := report.New(m, m.Judged(), "rows that it has not learned from", c.By...)
		if err != nil {
			return err
		}
		if err := r.WriteFolder(c.Report); err != nil {
			return err
		}
	}
	if c.JSON && out != "-" {
		e := json.NewEncoder(env.stdout)
		e.SetIndent("", " ")
		if err := e.Encode(m.About); err != nil {
			return err
		}
	}
	c.next(words, out)
	if env.ctx.Err() != nil {
		return fmt.Errorf("interrupted: %s is whole, of what had been learned until then", file.Name(out))
	}
	return nil
}

// table reads the table, and the schema if there is one.
func (c *fitCommand) table(o *fit.Options) (*table.Table, error) {
	reads := c.dialectFlags.options()
	if c.Schema != "" {
		content, err := file.Read(c.Schema, 64<<20)
		if err != nil {
			return nil, err
		}
		if o.Schema, err = table.ReadSchema(strings.NewReader(string(content))); err != nil {
			return nil, fmt.Errorf("%s: %w", file.Name(c.Schema), err)
		}
		for i := range o.Schema.Columns { // --target counts
			switch d := &o.Schema.Columns[i]; {
			case d.Name == c.Target:
				d.Role = table.Target
			case d.Role == table.Target:
				d.Role = table.LeftOut
			}
		}
		if o.Schema.Column(c.Target) == nil {
			return nil, usageError{fmt.Errorf("--target: %s has no column %s", file.Name(c.Schema), list.Quote(c.Target))}
		}
		reads.Schema = o.Schema
	}
	return loadWithout(c.File, reads, o)
}

// loadWithout reads a table. Columns that cannot be read, such as lists in a Parquet file, are left out while reading if o leaves them out.
func loadWithout(path string, reads table.Options, o *fit.Options) (*table.Table, error) {
	t, err := load(path, reads)
	if err != nil && len(o.Drop) > 0 && path != "-" {
		reads.Drop = o.Drop
		if rest, again := load(path, reads); again == nil {
			o.Drop = nil
			return rest, nil
		}
	}
	return t, err
}

// modelName is the name of the model of a table: without .csv, .csv.gz and the like.
func modelName(path string) string {
	if path == "-" {
		return "model.tarn"
	}
	path, _, _ = strings.Cut(path, "#") // the table within a database
	base := filepath.Base(path)
	for _, ext := range []string{".gz", ".zst", ".csv", ".tsv", ".txt", ".tab", ".data", ".parquet", ".db", ".sqlite", ".sqlite3"} {
		if rest, found := strings.CutSuffix(base, ext); found && rest != "" {
			base = rest
		}
	}
	return base + ".tarn"
}

// silent are the flags that do not change the model.
var silent = []string{"--out", "--report", "--by", "--json", "--force", "--quiet", "-q"}

// repeatable is the command line that makes the same model again.
func repeatable(args []string) string {
	words := []string{"tarn"}
	for i := 0; i < len(args); i++ {
		name, _, joined := strings.Cut(args[i], "=")
		if slices.Contains(silent, name) {
			if !joined && slices.Contains(silent[:3], name) {
				i++ // its value
			}
			continue
		}
		words = append(words, quoted(args[i]))
	}
	return strings.Join(words, " ")
}

// quoted is a word as a shell reads it.
func quoted(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./=:,+@%", r)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// progressLine shows how far a training is: on a terminal in one line that changes, and otherwise with a line for each fold.
type progressLine struct {
	w     io.Writer
	live  bool
	wide  int
	shown time.Time
	last  fit.Progress
}

func (p *progressLine) show(now fit.Progress) {
	if now.Stage != "network" {
		return
	}
	if !p.live {
		if p.last.Fold != 0 && p.last.Fold != now.Fold {
			fmt.Fprintln(p.w, progressText(p.last))
		}
		p.last = now
		return
	}
	if time.Since(p.shown) < 50*time.Millisecond {
		return
	}
	p.shown = time.Now()
	text := progressText(now)
	fmt.Fprintf(p.w, "\r%-*s", p.wide, text)
	p.wide = len(text)
}

func (p *progressLine) end() {
	if p.live && p.wide > 0 {
		fmt.Fprintf(p.w, "\r%-*s\r", p.wide, "")
	} else if p.last.Fold != 0 {
		fmt.Fprintln(p.w, progressText(p.last))
	}
}

func progressText(p fit.Progress) string {
	return fmt.Sprintf("fold %d/%d  epoch %d/%d  loss %.4f  valid %.4f  best %.4f at %d", p.Fold, p.Folds, p.Epoch, p.Epochs, p.Train, p.Valid, p.Best, p.BestEpoch)
}

// describePlan prints what the columns are and how the rows are split.
func describePlan(w io.Writer, p *fit.Plan) {
	d := p.Schema.Target()
	what := "a quantity, with the mean " + number(p.Priors[0])
	if p.Task == fit.Classify {
		var shares []string
		for k, name := range p.Classes[:min(6, len(p.Classes))] {
			shares = append(shares, fmt.Sprintf("%s %.0f %%", list.Name(name), 100*p.Priors[k]))
		}
		if len(p.Classes) > 6 {
			shares = append(shares, fmt.Sprintf("and %d more", len(p.Classes)-6))
		}
		what = fmt.Sprintf("classification of %d: %s", len(p.Classes), strings.Join(shares, ", "))
	}
	fmt.Fprintf(w, "target %s: %s\n", list.Name(d.Name), what)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "column\ttype\tmissing\tdistinct\thow")
	most := 60
	for i, c := range p.Schema.Columns {
		if i == most && len(p.Schema.Columns) > most+1 {
			fmt.Fprintf(t, "and %d more\t\t\t\t\n", len(p.Schema.Columns)-i)
			break
		}
		kind, why := string(c.Kind), c.Why
		switch c.Role {
		case table.LeftOut:
			if kind = "left out"; c.Kind == table.ID {
				why += fmt.Sprintf(" (--type %s to use it)", quoted(c.Name+"=text"))
			}
		case table.Target:
			kind += ", target"
		}
		fmt.Fprintf(t, "%s\t%s\t%5.0f %%\t%8d\t%s\n", list.Name(c.Name), kind, 100*float64(c.Missing)/float64(max(1, p.Schema.Rows)), c.Distinct, printable(why))
	}
	t.Flush()
	for _, n := range p.Notes {
		fmt.Fprintf(w, "warning: %s\n", printable(n))
	}
	fmt.Fprintf(w, "split: %s\n", printable(p.Split))
}

// describeModel prints how good a model is, beside the linear model and the baseline.
func describeModel(w io.Writer, m *fit.Model) {
	a := &m.About
	tested, linear := a.Tested != nil, len(a.Linear) > 0
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "\tbaseline\t")
	if linear {
		fmt.Fprint(t, "linear\t")
	}
	fmt.Fprint(t, "model\t\t")
	if tested {
		fmt.Fprint(t, "--test\t")
	}
	fmt.Fprintln(t)
	cell := func(metrics map[string]float64, name string) string {
		if v, there := metrics[name]; there {
			return number(v)
		}
		return ""
	}
	for _, name := range a.MetricNames() {
		spread := ""
		if e := a.Errors[name]; e > 0 {
			spread = "+- " + number(e)
		}
		fmt.Fprintf(t, "%s\t%s\t", name, cell(a.Baseline, name))
		if linear {
			fmt.Fprintf(t, "%s\t", cell(a.Linear, name))
		}
		fmt.Fprintf(t, "%s\t%s\t", cell(a.Metrics, name), spread)
		if tested {
			fmt.Fprintf(t, "%s\t", cell(a.Tested, name))
		}
		fmt.Fprintln(t)
	}
	t.Flush()
	if means, spreads := a.FoldMeans(); means != nil {
		name := a.MetricNames()[0]
		low, high := math.Inf(1), math.Inf(-1)
		for _, f := range a.Folds {
			low, high = min(low, f.Metrics[name]), max(high, f.Metrics[name])
		}
		fmt.Fprintf(w, "mean of the folds: %s %s +- %s, from %s to %s\n", name, number(means[name]), number(spreads[name]), number(low), number(high))
	}
	if a.Threshold != 0.5 {
		fmt.Fprintf(w, "%s is chosen from a probability of %s on\n", list.Name(a.Classes[1]), number(a.Threshold))
	}
	if name, worse := a.NotBetter(); worse {
		fmt.Fprintf(w, "warning: the model is no better than the baseline in %s: the columns do not tell the target, or there are too few rows\n", name)
	}
	var top []string
	for _, i := range a.Importance[:min(3, len(a.Importance))] {
		if i.Worse > 0 {
			top = append(top, fmt.Sprintf("%s (%s)", list.Name(i.Column), number(i.Worse)))
		}
	}
	if top != nil {
		fmt.Fprintf(w, "most important: %s; in brackets the rise of the loss without it\n", strings.Join(top, ", "))
	}
	for _, n := range a.Notes {
		if strings.HasPrefix(n, "the training was stopped") {
			fmt.Fprintf(w, "note: %s\n", n)
		}
	}
}

// next prints what was written, and what one can do now.
func (c *fitCommand) next(w io.Writer, out string) {
	if out == "-" {
		return
	}
	wrote := file.Name(out)
	if info, err := os.Stat(out); err == nil {
		wrote += " (" + size(info.Size()) + ")"
	}
	if c.Report != "" {
		wrote += " and " + file.Name(filepath.Join(c.Report, "index.html"))
	}
	rows := "new.csv"
	if isFolder(c.File) {
		rows = "new.png"
	}
	fmt.Fprintf(w, "wrote %s\nnext: tarn predict %s %s, or tarn serve %s\n", wrote, quoted(out), rows, quoted(out))
}
