package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/data/images"
	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/fit"
	"github.com/seed-49005b45/tarn/fit/report"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file holds what fit and predict do with pictures, texts and series.

// mediaFlags are the flags of fit for pictures, texts and series.
type mediaFlags struct {
	Horizon int    `placeholder:"N" help:"Learn to forecast the target, a series, N steps ahead; --time names the column of times."`
	Group   string `placeholder:"COLUMN" help:"With --horizon: the column that tells several series apart."`
	Text    string `placeholder:"COLUMN" help:"Learn from the texts of this column alone, word by word."`
	Labels  string `placeholder:"FILE" help:"Of a folder of pictures: a table with their names in its first column, and their classes in the column --target."`
	Network string `placeholder:"NAME" help:"small, resnet18 or resnet34 for pictures (small); gru or tcn for series (gru); bag or transformer for texts (bag)."`
}

// media makes a model of pictures, texts or a series, if the flags say so.
func (c *fitCommand) media(env *environment) (done bool, err error) {
	what, flags := "", []string{"target", "out", "report", "network", "valid", "weights", "epochs", "seed", "json", "force", "quiet"}
	reads := []string{"sep", "decimal", "na", "no-header"}
	switch {
	case env.given["horizon"] && c.Horizon < 1:
		return false, usageError{fmt.Errorf("--horizon is %d and should be 1 or more", c.Horizon)}
	case isFolder(c.File):
		what, flags = "pictures", append(flags, "labels")
	case c.Horizon > 0:
		what, flags = "series", append(append(flags, "horizon", "time", "group"), reads...)
	case c.Text != "":
		what, flags = "texts", append(append(flags, "text"), reads...)
	default:
		for flag, need := range map[string]string{"group": "--horizon", "labels": "a folder of pictures", "network": "a folder of pictures, --horizon or --text"} {
			if env.given[flag] {
				return false, usageError{fmt.Errorf("--%s has no effect without %s", flag, need)}
			}
		}
		return false, nil
	}
	for flag := range env.given {
		if !slices.Contains(flags, flag) {
			return false, usageError{fmt.Errorf("--%s has no effect on %s", flag, what)}
		}
	}
	if c.Target == "" && (what != "pictures" || c.Labels != "") {
		return false, usageError{errors.New("missing flags: --target=COLUMN")}
	}
	out := c.Out
	if out == "" {
		out = modelName(filepath.Clean(c.File))
	}
	if err := errors.Join(free(out, c.Force), freeFolder(c.Report, c.Force, report.Files)); err != nil {
		return false, err
	}
	words := env.stderr
	if c.Quiet {
		words = io.Discard
	}
	progress := &progressLine{w: words, live: isTerminal(words)}
	o := fit.MediaOptions{Valid: c.Valid, Weights: c.Weights, Epochs: c.Epochs, Seed: c.Seed, Progress: progress.show}
	m, err := c.learnMedia(env.ctx, what, o, words)
	progress.end()
	if err != nil {
		return false, err
	}
	for _, n := range m.About.Notes {
		fmt.Fprintf(words, "warning: %s\n", printable(n))
	}
	fmt.Fprintf(words, "split: %s\n", printable(m.About.Split))
	m.About.Source, m.About.Command = filepath.Base(c.File), repeatable(env.args)
	describeModel(words, m)
	if err := writeTo(env, out, m.Write); err != nil {
		return false, err
	}
	if c.Report != "" {
		r, err := report.New(m, m.Judged(), what+" that it has not learned from")
		if err == nil {
			err = r.WriteFolder(c.Report)
		}
		if err != nil {
			return false, err
		}
	}
	if c.JSON && out != "-" {
		e := json.NewEncoder(env.stdout)
		e.SetIndent("", " ")
		if err := e.Encode(m.About); err != nil {
			return false, err
		}
	}
	c.next(words, out)
	return true, nil
}

// learnMedia reads what is learned from, and learns.
func (c *fitCommand) learnMedia(ctx context.Context, what string, o fit.MediaOptions, words io.Writer) (*fit.Model, error) {
	if what == "pictures" {
		f, err := c.folder()
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(words, "%s: %s of %s: %s\n", shownName(c.File), list.Count(len(f.Paths), "picture"), list.Count(len(f.Classes), "class"), list.Names(f.Classes))
		return fit.Images(ctx, f, fit.ImageOptions{MediaOptions: o, Network: c.Network, Target: c.Target})
	}
	reads := c.dialectFlags.options()
	if what == "texts" {
		reads.Words = []string{c.Text}
	}
	t, err := load(c.File, reads)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(words, "%s: %s, %s, %s\n", shownName(c.File), list.Count(t.Rows(), "row"), list.Count(len(t.Columns), "column"), printable(t.Dialect.String()))
	if what == "texts" {
		return fit.Texts(ctx, t, fit.TextOptions{MediaOptions: o, Target: c.Target, Text: c.Text, Network: c.Network})
	}
	var others []string
	for _, name := range t.Names() {
		if name != c.Target && name != c.Time && name != c.Group {
			others = append(others, name)
		}
	}
	if others != nil {
		fmt.Fprintf(words, "note: not used: %s; a forecast is made from the series alone (package fit takes further columns)\n", list.Names(others))
	}
	return fit.Series(ctx, t, fit.SeriesOptions{MediaOptions: o, Target: c.Target, Time: c.Time, Group: c.Group, Horizon: c.Horizon, Network: c.Network})
}

// folder lists the pictures.
func (c *fitCommand) folder() (*images.Folder, error) {
	if c.Labels == "" {
		return images.Open(c.File)
	}
	t, err := load(c.Labels, table.Options{})
	if err != nil {
		return nil, err
	}
	f, err := images.OpenTable(c.File, t, t.Names()[0], c.Target)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file.Name(c.Labels), err)
	}
	return f, nil
}

// isPicture reports whether a name is that of a picture.
func isPicture(name string) bool {
	return slices.Contains(images.Extensions, strings.ToLower(filepath.Ext(name)))
}

// picturesOf is the table of the pictures in a folder, with their classes, and their paths.
func picturesOf(dir, target string) (*table.Table, []string, error) {
	f, err := images.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	t, err := fit.Pictures(f, target)
	return t, f.Paths, err
}

// inPicture names the file instead of the row if err is about one of a table of pictures with these paths.
func inPicture(paths []string, err error) error {
	if cell := (*table.CellError)(nil); errors.As(err, &cell) && cell.Row < len(paths) {
		return fmt.Errorf("%s: %s; replace or remove the file", file.Name(paths[cell.Row]), cell.Problem)
	}
	return err
}

// pictures answers a picture, or all in a folder and those below.
func (a *answering) pictures(ctx context.Context, w io.Writer) error {
	c := a.command
	if len(c.Keep) > 0 {
		return a.fail(usageError{errors.New("--keep has no effect on pictures, whose names are written anyway")})
	}
	var paths []string
	err := filepath.WalkDir(c.File, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && (isPicture(path) || path == c.File) {
			paths = append(paths, path)
		}
		return err
	})
	if err == nil && len(paths) == 0 {
		err = fmt.Errorf("%s has no pictures", a.file)
	}
	if err != nil {
		return a.fail(err)
	}
	c.Keep = names{"file"}
	return a.spread(w, func(yield func(part, error) bool) {
		first := 0
		for some := range slices.Chunk(paths, 64) {
			if ctx.Err() != nil {
				yield(part{}, context.Cause(ctx))
				return
			}
			t, err := fit.Pictures(&images.Folder{Paths: some}, "")
			if err == nil {
				t = t.With(table.Words("file", some...))
			}
			if !yield(part{t, first}, err) || err != nil {
				return
			}
			first += len(some)
		}
	}, func(p part) (*answered, error) {
		made, err := a.part(ctx, p)
		return made, inPicture(paths[p.first:], err)
	})
}

// series answers the rows of a table whose target is missing; if there are none, it forecasts what comes after the table.
func (a *answering) series(ctx context.Context, w io.Writer) error {
	options := a.command.dialectFlags.options()
	t, err := loadFor(a.command.File, options, a.model.Schema())
	if err := a.env.agree(err); err != nil {
		return err
	}
	fail := func(err error) error { return fmt.Errorf("%s: %w", a.file, err) }
	target := t.Column(a.model.About.Target)
	if target == nil {
		return fail(fmt.Errorf("there is no column %s, from whose values a forecast is made; there are %s", list.Quote(a.model.About.Target), list.Names(t.Names())))
	}
	open := false
	for i := range t.Rows() {
		open = open || target.Missing(i)
	}
	out := bufio.NewWriter(w)
	if !open {
		if len(a.command.Keep) > 0 {
			return usageError{errors.New("--keep has no effect on a forecast beyond the table, whose times are written anyway")}
		}
		later, answers, err := a.model.Forecast(ctx, t)
		if err != nil {
			return fail(err)
		}
		a.command.Keep = later.Names()
		made, err := a.show(later, answers)
		if err != nil {
			return err
		}
		return a.write(out, made)
	}
	answers, err := a.model.Predict(ctx, t)
	if err != nil {
		return fail(err)
	}
	for _, name := range a.command.Keep {
		if t.Column(name) == nil {
			return fail(fmt.Errorf("there is no column %s to keep; there are %s", list.Quote(name), list.Names(t.Names())))
		}
	}
	made, err := a.show(t, answers)
	if err != nil {
		return err
	}
	return a.write(out, made)
}
