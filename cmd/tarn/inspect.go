package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/fit"
	"github.com/seed-49005b45/tarn/fit/report"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/interop/safetensors"
)

// This file holds inspect.

// inspectCommand has the arguments of inspect.
type inspectCommand struct {
	File   string `arg:"" help:"A safetensors file, the folder of a run, or a model that tarn fit made."`
	Schema bool   `xor:"what" help:"Of a model of a table: print what its columns are, as JSON that tarn fit --schema reads."`
	Card   bool   `xor:"what" help:"Of a model of a table: print its model card, in Markdown."`
	JSON   bool   `name:"json" xor:"what" help:"Of a model of a table: print what it knows of itself, as JSON."`
	Limit  int    `default:"16384" placeholder:"MIB" help:"Largest size of all tensors in the file, in MiB (16384)."`
}

// Validate checks the flags; kong calls it.
func (c *inspectCommand) Validate() error {
	if c.Limit < 1 || c.Limit > 1<<30 {
		return fmt.Errorf("--limit is %d and should be from 1 to %d MiB", c.Limit, 1<<30)
	}
	return nil
}

// Run lists the tensors with their statistics.
func (c *inspectCommand) Run(env *environment) error {
	path := c.File
	if s, err := os.Stat(path); err == nil && s.IsDir() {
		path = filepath.Join(c.File, "weights.safetensors")
		if _, err := os.Stat(path); err != nil {
			path = filepath.Join(c.File, "checkpoint.safetensors")
		}
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%s has neither weights.safetensors nor checkpoint.safetensors", c.File)
		}
	}
	contents, err := safetensors.Options{MaxBytes: int64(c.Limit) << 20}.Load(path)
	if errors.Is(err, data.ErrLimit) {
		err = fmt.Errorf("%w: --limit is %d MiB", err, c.Limit)
	}
	if err != nil {
		return err
	}
	if _, found := contents.Metadata[fit.Key]; found {
		return c.model(env, path)
	}
	if c.Schema || c.Card || c.JSON {
		return fmt.Errorf("%s has weights and is no model of a table: --schema, --card and --json tell of those that tarn fit makes", file.Name(path))
	}
	fmt.Fprintln(env.stdout, file.Name(path))
	for _, key := range slices.Sorted(maps.Keys(contents.Metadata)) {
		fmt.Fprintf(env.stdout, "%q = %q\n", key, contents.Metadata[key])
	}
	w := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nname\ttype\tshape\tmean\tdeviation\tleast\tgreatest\tnot finite\t")
	elements, bytes := 0, 0
	for _, name := range slices.Sorted(maps.Keys(contents.Tensors)) {
		t := contents.Tensors[name]
		elements += t.Size()
		bytes += t.Size() * t.DType().Size()
		s := describe(t)
		fmt.Fprintf(w, "%q\t%v\t%v\t%.4g\t%.4g\t%.4g\t%.4g\t%d\t\n", name, t.DType(), t.Shape(), s.mean, s.deviation, s.least, s.greatest, s.broken)
	}
	w.Flush()
	checked := "without checksums"
	if contents.Verified {
		checked = "with the right checksums"
	}
	fmt.Fprintf(env.stdout, "\n%d tensors, %d elements, %d bytes, %s\n", len(contents.Tensors), elements, bytes, checked)
	return nil
}

// model tells what a model of a table is.
func (c *inspectCommand) model(env *environment, path string) error {
	m, err := loadModel(path)
	if err != nil {
		return err
	}
	a, w := &m.About, env.stdout
	switch {
	case c.Schema:
		_, err := m.Schema().WriteTo(w)
		return err
	case c.Card:
		return report.WriteCard(w, m)
	case c.JSON:
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		return e.Encode(map[string]any{"about": a, "schema": m.Schema()})
	}
	fmt.Fprintf(w, "%s: a model of %s\n", file.Name(path), list.Name(a.Target))
	if a.Command != "" {
		fmt.Fprintf(w, "made by %s\n", printable(a.Command))
	}
	fmt.Fprintf(w, "of %s, SHA-256 of their values %s\nsplit: %s\n\n", list.Count(a.Rows, "row"), a.Digest, printable(a.Split))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "column\ttype\trole\texample\thow")
	for _, d := range m.Schema().Columns {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", list.Name(d.Name), d.Kind, d.Role, printable(d.Example), printable(d.Why))
	}
	t.Flush()
	fmt.Fprintln(w)
	describeModel(w, m)
	return nil
}

// statistics are those of a tensor's finite elements; broken counts the others.
type statistics struct {
	mean, deviation, least, greatest float64
	broken                           int
}

func describe(t *tarn.Tensor) statistics {
	s := statistics{least: math.Inf(1), greatest: math.Inf(-1)}
	n, squares := 0.0, 0.0
	for i := range t.Size() {
		x := t.Float(i)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			s.broken++
			continue
		}
		n++
		delta := x - s.mean // Welford's update
		s.mean += delta / n
		squares += delta * (x - s.mean)
		s.least, s.greatest = min(s.least, x), max(s.greatest, x)
	}
	if n == 0 {
		nan := math.NaN()
		return statistics{nan, nan, nan, nan, s.broken}
	}
	s.deviation = math.Sqrt(squares / n)
	return s
}
