// Package stream trains on tables that do not fit into memory: it reads the rows of a text while they are learned from.
//
//	some, err := table.Load("first.csv", table.Options{})        // or a part of the table
//	schema, err := table.Infer(some, table.Hints{Target: "price"})
//	encoder, err := table.Fit(schema, some, rows, nil, table.Settings{})
//	lines, err := stream.Open("all.csv.zst", encoder, stream.Options{})
//	loop := train.NewLoop(build, model, opt, lines)
package stream

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/internal/list"
)

// Options say how a table is read as a stream. The zero value is the usual way.
type Options struct {
	Table   table.Options      // how the text is written; its Schema is that of the encoder
	Classes []string           // of the target; nil means that it is a quantity
	Rows    int                // that are read together; 0 means 4096
	Stream  data.StreamOptions // what is known of the number of rows, and the buffer in which they are shuffled
}

// Open returns the rows of the text at path, packed or not, as a stream with these fields: numbers, [width] as F32, and codes, [words] as I32, each if the encoder
// makes any; and target, a number as F32 or the index of a class as I32. Rows without a target are left out. Each epoch reads the file anew.
func Open(path string, e *table.Encoder, o Options) (*data.Stream, error) {
	if e == nil || e.Schema == nil {
		return nil, errors.New("stream: the encoder is nil, or has no schema")
	}
	if err := e.Check(); err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	if e.Schema.Target() == nil {
		return nil, errors.New("stream: the schema has no column with the role target")
	}
	if o.Rows < 0 {
		return nil, fmt.Errorf("stream: parts of %d rows", o.Rows)
	}
	if o.Rows == 0 {
		o.Rows = 4096
	}
	o.Table.Schema = e.Schema
	r := &reader{encoder: e, classes: map[string]int32{}, all: o.Classes, target: e.Schema.Target()}
	for i, c := range o.Classes {
		if _, twice := r.classes[c]; twice {
			return nil, fmt.Errorf("stream: two classes are called %s", list.Quote(c))
		}
		r.classes[c] = int32(i)
	}
	return data.NewStream(func(ctx context.Context, epoch int) iter.Seq2[*data.Set, error] {
		return func(yield func(*data.Set, error) bool) {
			f, err := os.Open(path)
			if err != nil {
				yield(nil, fmt.Errorf("stream: %w", err))
				return
			}
			defer f.Close()
			for t, err := range table.Stream(f, o.Table, o.Rows) {
				var set *data.Set
				if err == nil {
					set, err = r.set(t)
				}
				if err != nil {
					yield(nil, fmt.Errorf("stream: %s: %w", path, err))
					return
				}
				if ctx.Err() != nil {
					yield(nil, context.Cause(ctx))
					return
				}
				if set.Len() > 0 && !yield(set, nil) {
					return
				}
			}
		}
	}, o.Stream)
}

// reader makes sets of parts of a table.
type reader struct {
	encoder *table.Encoder
	target  *table.Description
	all     []string
	classes map[string]int32
}

func (r *reader) set(t *table.Table) (*data.Set, error) {
	c := t.Column(r.target.Name)
	if c == nil {
		return nil, fmt.Errorf("there is no column %s; there are %s", list.Quote(r.target.Name), list.Names(t.Names()))
	}
	var rows []int
	for i := range t.Rows() {
		if !c.Missing(i) {
			rows = append(rows, i)
		}
	}
	if len(rows) < t.Rows() {
		t = t.Take(rows)
		c = t.Column(r.target.Name)
	}
	f, err := r.encoder.Encode(t)
	if err != nil {
		return nil, err
	}
	var fields []data.Field
	if width := r.encoder.Width(); width > 0 {
		fields = append(fields, data.Field{Name: "numbers", Array: data.Array{Shape: []int{f.Rows, width}, Data: f.Numbers}})
	}
	if words := len(r.encoder.Vocabulary()); words > 0 {
		fields = append(fields, data.Field{Name: "codes", Array: data.Array{Shape: []int{f.Rows, words}, Data: f.Codes}})
	}
	bad := func(i int, format string, args ...any) error {
		return &table.CellError{Row: i, Line: t.Line(i), Column: r.target.Name, Problem: fmt.Sprintf(format, args...)}
	}
	if r.all != nil {
		class := make([]int32, f.Rows)
		for i := range class {
			k, known := r.classes[c.Text(i)]
			if !known {
				return nil, bad(i, "%s is none of the classes %s", list.Quote(c.Text(i)), list.Names(r.all))
			}
			class[i] = k
		}
		return data.NewSet(append(fields, data.Field{Name: "target", Array: data.Array{Shape: []int{f.Rows}, Data: class}})...)
	}
	values, err := table.Values(t, r.target)
	if err != nil {
		return nil, err
	}
	value := make([]float32, f.Rows)
	for i, v := range values {
		if value[i] = float32(v); math.IsNaN(v) || math.IsInf(float64(value[i]), 0) {
			return nil, bad(i, "%s is no number that can be learned", list.Quote(c.Text(i)))
		}
	}
	return data.NewSet(append(fields, data.Field{Name: "target", Array: data.Array{Shape: []int{f.Rows}, Data: value}})...)
}
