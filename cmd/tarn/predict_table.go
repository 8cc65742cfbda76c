package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/dist"
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
	engineFlags
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
				return agreedError{usageError{fmt.Errorf("--%s has no effect on digits: %s is the folder of a run", flag, c.Model)}}
			}
		}
		if c.File == "-" {
			return agreedError{usageError{fmt.Errorf("expected a file of images, as in tarn predict %s digit.png", c.Model)}}
		}
		return readDigits(env, c.Model, c.File, int64(c.Limit)<<20)
	}
	if env.given["limit"] {
		return agreedError{usageError{errors.New("--limit has no effect on tables, which are read part by part")}}
	}
	if c.File == "-" && env.ranks() > 1 {
		return agreedError{errStandardInput}
	}
	m, err := loadModel(c.Model)
	if err == nil && env.rank() == 0 {
		err = free(c.Out, c.Force)
	}
	if err := env.agree(err); err != nil {
		return err
	}
	if err := env.sameFile("the model", c.Model); err != nil {
		return err
	}
	a := &answering{command: c, env: env, model: m, unseen: map[string]int{}, file: shownName(c.File)}
	if c.Explain && m.About.Linear == nil {
		return agreedError{usageError{errors.New("--explain is for models of tables: one of pictures, texts or series has no shares of columns")}}
	}
	answer := a.all
	switch {
	case m.ReadsPictures() && c.File != "-" && (isFolder(c.File) || isPicture(c.File)):
		answer = a.pictures
	case m.ReadsSeries():
		answer, m.Comm = a.series, env.comm
	}
	if err := env.agree(a.answer(answer)); err != nil {
		return err
	}
	a.summary(env.stderr)
	return nil
}

// errStandardInput refuses what ranks cannot share.
var errStandardInput = usageError{errors.New("- is the standard input, which launchers give to rank 0 alone: name a file that all ranks can read")}

// answering answers a table part by part. The ranks, if there are several, answer parts by turns, and rank 0 writes them.
type answering struct {
	command *predictCommand
	env     *environment
	model   *fit.Model
	file    string
	rows    int
	unseen  map[string]int // rows by what they have that was never seen
}

// answer calls one of the functions below, on rank 0 with the place for the answers.
func (a *answering) answer(all func(ctx context.Context, w io.Writer) error) error {
	if a.env.rank() > 0 {
		return all(a.env.ctx, io.Discard)
	}
	begun := false
	err := writeTo(a.env, a.command.Out, func(w io.Writer) error {
		begun = true
		return all(a.env.ctx, w)
	})
	switch {
	case begun:
		return err
	case a.model.ReadsSeries():
		return a.env.agree(err) // with the other ranks, which have begun
	}
	return a.fail(err)
}

// fail ends what spread has begun on other ranks.
func (a *answering) fail(err error) error {
	return a.spread(io.Discard, func(yield func(part, error) bool) { yield(part{}, err) }, nil)
}

// part is a part of a table.
type part struct {
	table *table.Table
	first int // rows before it
}

// answered is what comes of a part: the names of the columns, its rows as they are written, and what they have that was never seen.
type answered struct {
	Head   []string
	Text   []byte
	Rows   int
	Unseen map[string]int
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

// partRows is the number of rows of a part.
const partRows = 8192

// all answers all rows.
func (a *answering) all(ctx context.Context, w io.Writer) error {
	return a.spread(w, func(yield func(part, error) bool) {
		first := 0
		for t, err := range a.tables() {
			if err == nil && ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			if err != nil {
				yield(part{}, inFile(a.file, cure(err, a.model)))
				return
			}
			if t.Rows() > 0 && !yield(part{t, first}, nil) {
				return
			}
			first += t.Rows()
		}
		if first == 0 {
			yield(part{}, fmt.Errorf("%s has no rows", a.file))
		}
	}, func(p part) (*answered, error) {
		made, err := a.part(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.file, cure(err, a.model))
		}
		return made, nil
	})
}

// spread works on parts, by turns if there are ranks, and writes what comes of them.
func (a *answering) spread(w io.Writer, parts iter.Seq2[part, error], work func(p part) (*answered, error)) error {
	out := bufio.NewWriter(w)
	err := dist.Turns(a.env.ranksOf(), parts, func(p part) ([]byte, error) {
		made, err := work(p)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		err = gob.NewEncoder(&b).Encode(made)
		return b.Bytes(), err
	}, func(text []byte) error {
		var made answered
		if err := gob.NewDecoder(bytes.NewReader(text)).Decode(&made); err != nil {
			return fmt.Errorf("the answers of a rank cannot be read: %w", err)
		}
		return a.write(out, &made)
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

// tables reads the table in parts.
func (a *answering) tables() iter.Seq2[*table.Table, error] {
	return func(yield func(*table.Table, error) bool) {
		options := a.command.dialectFlags.options()
		options.Schema = a.schema()
		source := standardInput
		if a.command.File != "-" {
			if t, found, err := otherTable(a.command.File, options); found {
				cutTable(t, err, yield)
				return
			}
			if isFolder(a.command.File) {
				yield(nil, errors.New("this is a folder, and a table is one file"))
				return
			}
			f, _, err := file.Open(a.command.File)
			if err != nil {
				yield(nil, err)
				return
			}
			defer f.Close()
			source = f
		}
		text := bufio.NewReaderSize(source, 64<<10)
		if head, _ := text.Peek(512); isJSON(head) {
			t, err := table.ReadJSON(text, options)
			cutTable(t, err, yield)
			return
		}
		for t, err := range table.Stream(text, options, partRows) {
			if !yield(t, err) {
				return
			}
		}
	}
}

// cutTable cuts a table into parts.
func cutTable(t *table.Table, err error, yield func(*table.Table, error) bool) {
	if err != nil || t.Rows() <= partRows {
		yield(t, err)
		return
	}
	rows := make([]int, t.Rows())
	for i := range rows {
		rows[i] = i
	}
	for some := range slices.Chunk(rows, partRows) {
		if !yield(t.Take(some), nil) {
			return
		}
	}
}

// cure adds to an error about a table what one can do.
func cure(err error, m *fit.Model) error {
	text := err.Error()
	if strings.Contains(text, ", the target;") {
		return fmt.Errorf("%w; evaluate compares the answers with the values of this column, and tarn predict needs none", err)
	}
	if strings.Contains(text, "must be there and") || strings.Contains(text, "there is no column") || strings.Contains(text, "there are no columns") {
		return fmt.Errorf("%w; the model reads %s: rename the columns, or leave the values of one empty", err, list.Names(m.Schema().Features()))
	}
	return err
}

// part answers some rows.
func (a *answering) part(ctx context.Context, p part) (*answered, error) {
	ask := ctx
	if a.command.Explain {
		ask = predict.WithShares(ctx)
	}
	answers, err := a.model.Predict(ask, p.table)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	unseen := map[string]int{}
	for row, notes := range answers.Notes {
		for _, n := range notes {
			if a.command.Strict {
				place := fmt.Sprintf("row %d", p.first+row+1)
				if line := p.table.Line(row); line > 0 {
					place = fmt.Sprintf("line %d", line)
				}
				return nil, fmt.Errorf("%s: %s: leave --strict out to answer all the same", place, n)
			}
			unseen[n]++
		}
	}
	made, err := a.show(p.table, answers)
	if err == nil {
		made.Unseen = unseen
	}
	return made, err
}

// show shows the answers about the rows of t.
func (a *answering) show(t *table.Table, answers *predict.Answers) (*answered, error) {
	header := predict.Header(answers)
	if !a.command.Proba {
		header = header[:1]
	}
	kept := len(a.command.Keep)
	made := &answered{Head: append(slices.Clone(a.command.Keep), header...), Rows: t.Rows()}
	if a.command.Explain {
		for _, name := range a.model.Schema().Features() {
			made.Head = append(made.Head, "share_"+name)
		}
	}
	var b bytes.Buffer
	separated := a.separated(&b)
	write := separated.Write
	if a.command.Format == "jsonl" {
		write = func(values []string) error {
			writeJSON(&b, made.Head, values, func(i int) bool { return i < kept || i == kept && answers.Labels != nil })
			return nil
		}
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
		if err := write(values); err != nil {
			return nil, err
		}
	}
	separated.Flush()
	made.Text = b.Bytes()
	return made, separated.Error()
}

// separated returns a writer of values with separators.
func (a *answering) separated(w io.Writer) *csv.Writer {
	out := csv.NewWriter(w)
	if a.command.Format == "tsv" {
		out.Comma = '\t'
	}
	return out
}

// writeJSON writes a row as a JSON object. Words says which values are words; the others are numbers.
func writeJSON(b *bytes.Buffer, head, values []string, words func(i int) bool) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	text := func(s string) {
		e.Encode(s)
		b.Truncate(b.Len() - 1) // the newline
	}
	for i, v := range values {
		b.WriteString(map[bool]string{true: "{", false: ", "}[i == 0])
		text(head[i])
		b.WriteString(": ")
		if words(i) {
			text(v)
		} else {
			b.WriteString(v)
		}
	}
	b.WriteString("}\n")
}

// write writes what has come of a part, after the names of the columns if it is the first.
func (a *answering) write(w *bufio.Writer, made *answered) error {
	if a.rows == 0 && a.command.Format != "jsonl" {
		head := a.separated(w)
		if err := head.Write(made.Head); err != nil {
			return err
		}
		head.Flush()
	}
	a.rows += made.Rows
	for n, rows := range made.Unseen {
		a.unseen[n] += rows
	}
	if _, err := w.Write(made.Text); err != nil {
		return err
	}
	return w.Flush()
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
		fmt.Fprintf(w, "tarn: note: %s: %s\n", printable(n), list.Count(a.unseen[n], "row"))
	}
}
