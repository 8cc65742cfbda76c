package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/fit"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/predict"
)

// This file holds predict, which answers the rows of a table.

// predictCommand has the arguments of predict.
type predictCommand struct {
	Model   string `arg:"" name:"model" help:"A model that tarn fit made, or the folder of a run of train mnist."`
	File    string `arg:"" optional:"" default:"-" help:"Rows to answer: CSV, TSV, JSON lines, Parquet, or FILE#TABLE of an SQLite database, with the model's columns in any order and others; - is the standard input (-). For a run: an IDX or npy file with one or more images of 28 by 28, as bytes or as numbers from 0 to 1; or a PNG, JPEG, GIF or WebP picture of one digit, of any size. The ink may be bright on dark or dark on bright. An orientation in the picture's EXIF data is ignored."`
	Out     string `placeholder:"FILE" help:"File to write the answers to, instead of the standard output."`
	Proba   bool   `help:"Also write the probability of each class, or the bounds within which 9 of 10 quantities lie."`
	Keep    names  `placeholder:"COLUMN,..." help:"Write these columns of the rows before the answers."`
	Format  string `enum:"csv,tsv,jsonl" default:"csv" placeholder:"FORM" help:"csv, tsv or jsonl (csv)."`
	Explain bool   `help:"Also write the share of each column in the answer. That takes some hundred times as long."`
	Strict  bool   `help:"Fail at a row with a word that was never seen in training, instead of counting it."`
	dialectFlags
	Force bool `help:"Replace the file of --out if it is there already."`
	Limit int  `default:"256" placeholder:"MIB" help:"Largest size to which a file of images may unpack, in MiB; a pixel of a picture counts 8 bytes (256)."`
}

// Validate checks the flags; kong calls it.
func (c *predictCommand) Validate() error {
	if c.Limit < 1 || c.Limit > 1<<20 {
		return fmt.Errorf("--limit is %d and should be from 1 to %d MiB", c.Limit, 1<<20)
	}
	return c.dialectFlags.check()
}

// Run answers.
func (c *predictCommand) Run(env *environment) error {
	if isFolder(c.Model) {
		for _, flag := range []string{"out", "proba", "keep", "format", "explain", "strict", "sep", "decimal", "na", "no-header", "force"} {
			if env.given[flag] {
				return usageError{fmt.Errorf("--%s has no effect on digits: %s is the folder of a run", flag, c.Model)}
			}
		}
		if c.File == "-" {
			return usageError{fmt.Errorf("expected a file of images, as in tarn predict %s digit.png", c.Model)}
		}
		return readDigits(env, c.Model, c.File, int64(c.Limit)<<20)
	}
	if env.given["limit"] {
		return usageError{errors.New("--limit has no effect on tables, which are read part by part")}
	}
	m, err := loadModel(c.Model)
	if err != nil {
		return err
	}
	if err := free(c.Out, c.Force); err != nil {
		return err
	}
	a := &answering{command: c, model: m, unseen: map[string]int{}, file: shownName(c.File)}
	if c.Explain && m.About.Linear == nil {
		return usageError{errors.New("--explain is for models of tables: one of pictures, texts or series has no shares of columns")}
	}
	switch {
	case m.ReadsPictures() && c.File != "-" && (isFolder(c.File) || isPicture(c.File)):
		return writeTo(env, c.Out, func(w io.Writer) error { return a.pictures(env.ctx, w) })
	case m.ReadsSeries():
		return writeTo(env, c.Out, func(w io.Writer) error { return a.series(env.ctx, w) })
	}
	if err := writeTo(env, c.Out, func(w io.Writer) error { return a.all(env.ctx, w) }); err != nil {
		return err
	}
	a.summary(env.stderr)
	return nil
}

// answering answers a table part by part.
type answering struct {
	command *predictCommand
	model   *fit.Model
	file    string
	keep    []string // the columns as they are
	rows    int
	unseen  map[string]int // rows by what they have that was never seen
	write   func(values []string, kept int) error
	head    []string
	flush   func() error
}

// schema is that of the model, with the columns to keep, as words.
func (a *answering) schema() *table.Schema {
	s := a.model.Schema()
	out := &table.Schema{Columns: slices.Clone(s.Columns), Rows: s.Rows, Missing: s.Missing}
	for _, name := range a.command.Keep {
		kept := table.Description{Name: name, Kind: table.Text, Role: table.Feature}
		if d := out.Column(name); d == nil {
			out.Columns = append(out.Columns, kept)
		} else if d.Role != table.Feature {
			*d = kept
		}
	}
	return out
}

// all answers all rows.
func (a *answering) all(ctx context.Context, w io.Writer) error {
	options := a.command.dialectFlags.options()
	options.Schema = a.schema()
	source := standardInput
	if a.command.File != "-" {
		if t, found, err := otherTable(a.command.File, options); found {
			out := bufio.NewWriter(w)
			if err == nil {
				err = a.part(ctx, out, t)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", a.file, cure(err, a.model))
			}
			return out.Flush()
		}
		f, _, err := file.Open(a.command.File)
		if err != nil {
			return err
		}
		defer f.Close()
		source = f
	}
	text := bufio.NewReaderSize(source, 64<<10)
	head, _ := text.Peek(512)
	out := bufio.NewWriter(w)
	if isJSON(head) {
		t, err := table.ReadJSON(text, options)
		if err == nil {
			err = a.part(ctx, out, t)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", a.file, cure(err, a.model))
		}
		return out.Flush()
	}
	const rows = 8192
	for t, err := range table.Stream(text, options, rows) {
		if err == nil {
			err = a.part(ctx, out, t)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", a.file, cure(err, a.model))
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	if a.rows == 0 {
		return fmt.Errorf("%s has no rows", a.file)
	}
	return out.Flush()
}

// cure adds to an error about a table what one can do.
func cure(err error, m *fit.Model) error {
	if text := err.Error(); strings.Contains(text, "must be there and") || strings.Contains(text, "there is no column") || strings.Contains(text, "there are no columns") {
		return fmt.Errorf("%w; the model reads %s: rename the columns, or leave the values of one empty", err, list.Names(m.Schema().Features()))
	}
	return err
}

// part answers some rows.
func (a *answering) part(ctx context.Context, w *bufio.Writer, t *table.Table) error {
	if t.Rows() == 0 {
		return nil
	}
	ask := ctx
	if a.command.Explain {
		ask = predict.WithShares(ctx)
	}
	answers, err := a.model.Predict(ask, t)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	for row, notes := range answers.Notes {
		for _, n := range notes {
			if a.command.Strict {
				place := fmt.Sprintf("row %d", a.rows+row+1)
				if line := t.Line(row); line > 0 {
					place = fmt.Sprintf("line %d", line)
				}
				return fmt.Errorf("%s: %s: leave --strict out to answer all the same", place, n)
			}
			a.unseen[n]++
		}
	}
	return a.show(w, t, answers)
}

// show writes the answers about the rows of t.
func (a *answering) show(w *bufio.Writer, t *table.Table, answers *predict.Answers) error {
	if a.write == nil {
		a.begin(w, answers)
	}
	var values []string
	for row := range answers.Rows() {
		values = values[:0]
		for _, name := range a.command.Keep {
			values = append(values, t.Column(name).Text(row))
		}
		record := predict.Record(answers, row)
		if !a.command.Proba {
			record = record[:1]
		}
		values = append(values, record...)
		if a.command.Explain {
			for _, s := range answers.Shares[row] {
				values = append(values, fmt.Sprintf("%.6g", s))
			}
		}
		if err := a.write(values, len(a.command.Keep)); err != nil {
			return err
		}
	}
	a.rows += t.Rows()
	return a.flush()
}

// begin writes the names of the columns, and decides how rows are written.
func (a *answering) begin(w *bufio.Writer, answers *predict.Answers) {
	header := predict.Header(answers)
	if !a.command.Proba {
		header = header[:1]
	}
	a.head = append(slices.Clone(a.command.Keep), header...)
	if a.command.Explain {
		for _, name := range a.model.Schema().Features() {
			a.head = append(a.head, "share_"+name)
		}
	}
	if a.command.Format == "jsonl" {
		words := map[int]bool{}
		for i := range a.command.Keep {
			words[i] = true
		}
		words[len(a.command.Keep)] = answers.Labels != nil
		a.flush = func() error { return nil }
		a.write = func(values []string, kept int) error {
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			text := func(s string) {
				e.Encode(s)
				b.Truncate(b.Len() - 1) // the newline
			}
			for i, v := range values {
				b.WriteString(map[bool]string{true: "{", false: ", "}[i == 0])
				text(a.head[i])
				b.WriteString(": ")
				if words[i] {
					text(v)
				} else {
					b.WriteString(v)
				}
			}
			b.WriteString("}\n")
			_, err := w.Write(b.Bytes())
			return err
		}
		return
	}
	out := csv.NewWriter(w)
	if a.command.Format == "tsv" {
		out.Comma = '\t'
	}
	out.Write(a.head)
	a.write = func(values []string, kept int) error { return out.Write(values) }
	a.flush = func() error {
		out.Flush()
		return out.Error()
	}
}

// summary says what was unusual.
func (a *answering) summary(w io.Writer) {
	var all []string
	for n := range a.unseen {
		all = append(all, n)
	}
	slices.SortFunc(all, func(x, y string) int {
		if a.unseen[x] != a.unseen[y] {
			return a.unseen[y] - a.unseen[x]
		}
		return strings.Compare(x, y)
	})
	for i, n := range all {
		if i == 5 {
			fmt.Fprintf(w, "tarn: note: and %d more such words\n", len(all)-i)
			break
		}
		fmt.Fprintf(w, "tarn: note: %s: %d rows\n", printable(n), a.unseen[n])
	}
}
