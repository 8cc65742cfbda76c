package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/fit"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file holds what the commands for tables have in common: how tables are read, models found, and files not overwritten.

// standardInput is what - means; tests put something else there.
var standardInput io.Reader = os.Stdin

// names is a list of names between commas.
type names []string

// UnmarshalText parses "a,b".
func (n *names) UnmarshalText(text []byte) error {
	*n = nil
	for part := range strings.SplitSeq(string(text), ",") {
		part = strings.TrimSpace(part)
		switch {
		case part == "":
			return fmt.Errorf("%s is not a list of names such as a,b", list.Quote(string(text)))
		case slices.Contains(*n, part):
			return fmt.Errorf("%s is there twice", list.Quote(part))
		}
		*n = append(*n, part)
	}
	return nil
}

// dialectFlags are the flags of all commands that read a table.
type dialectFlags struct {
	Sep      string `placeholder:"SIGN" help:"Sign between values, or tab; found out by default."`
	Decimal  string `placeholder:"SIGN" help:"Decimal sign, . or , ; found out by default."`
	NA       names  `name:"na" placeholder:"WORD,..." help:"Marks of missing values beside the empty one, instead of the usual ones, such as NA, NaN, null and ?; --na=-999 for one that begins with a minus. A model remembers them."`
	NoHeader bool   `help:"The first line has values; the columns are called column1, column2 and so on."`
}

// check returns an error for flags that say nothing.
func (r *dialectFlags) check() error {
	if s := r.separator(); r.Sep != "" && (len(s) != 1 || s[0] == '"' || s[0] == '\n' || s[0] == '\r' || s[0] == 0 || s[0] >= 0x80) {
		return fmt.Errorf("--sep is %s and should be one ASCII sign such as ; or the word tab", list.Quote(r.Sep))
	}
	if r.Decimal != "" && r.Decimal != "." && r.Decimal != "," {
		return fmt.Errorf("--decimal is %s and should be . or ,", list.Quote(r.Decimal))
	}
	return nil
}

func (r *dialectFlags) separator() string {
	if r.Sep == "tab" || r.Sep == `\t` {
		return "\t"
	}
	return r.Sep
}

// options are the flags as package table knows them.
func (r *dialectFlags) options() table.Options {
	o := table.Options{Comma: r.separator(), Decimal: r.Decimal, Missing: r.NA}
	if r.NoHeader {
		o.Header = table.Absent
	}
	return o
}

// load reads a whole table; - is the standard input.
func load(path string, o table.Options) (*table.Table, error) {
	if path == "-" {
		t, err := table.Read(standardInput, o)
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		return t, nil
	}
	if isFolder(path) {
		return nil, fmt.Errorf("%s is a folder, and a table is one file", file.Name(path))
	}
	if t, found, err := otherTable(path, o); found {
		return t, err
	}
	return table.Load(path, o)
}

// loadFor reads a whole table for a model: columns that the model reads as words are words, whatever their values are, and what marked a missing value when it was made still
// does. Columns that the model does not read are read too.
func loadFor(path string, o table.Options, s *table.Schema) (*table.Table, error) {
	if o.Missing == nil {
		o.Missing = s.Missing
	}
	read := func() (*table.Table, error) { return load(path, o) }
	if path == "-" { // which can be read only once
		content, err := io.ReadAll(standardInput)
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		read = func() (*table.Table, error) {
			t, err := table.Read(bytes.NewReader(content), o)
			if err != nil {
				return nil, fmt.Errorf("standard input: %w", err)
			}
			return t, nil
		}
	}
	t, err := read()
	if err != nil {
		return nil, err
	}
	for _, c := range t.Columns {
		if d := s.Column(c.Name); d != nil && d.Role != table.LeftOut && !d.Numbers && c.Numbers != nil && d.Kind != table.Numeric {
			o.Words = append(o.Words, c.Name)
		}
	}
	if o.Words == nil {
		return t, nil
	}
	return read()
}

// shownName is a file as messages name it.
func shownName(path string) string {
	if path == "-" {
		return "standard input"
	}
	return file.Name(path)
}

// loadModel reads a model of a table.
func loadModel(path string) (*fit.Model, error) {
	if isFolder(path) {
		return nil, fmt.Errorf("%s is a folder, and a model of a table is one file, as tarn fit writes it", file.Name(path))
	}
	m, err := fit.Load(path)
	if err != nil {
		return nil, fmt.Errorf("%w; name a model that tarn fit has written", err)
	}
	return m, nil
}

// inFile says in which file an error is, unless it says so itself.
func inFile(name string, err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// free returns an error for a file that one cannot write, or that is there already and must not be replaced, before the work is done.
func free(path string, force bool) error {
	if path == "" || path == "-" {
		return nil
	}
	info, err := os.Stat(path)
	switch folder := filepath.Dir(path); {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a folder: name a file", file.Name(path))
	case err == nil && info.Mode().IsRegular() && !force:
		return fmt.Errorf("%s is there already: name another file, or set --force to replace it", file.Name(path))
	case err != nil && !isFolder(folder):
		if _, err := os.Stat(folder); err == nil {
			return fmt.Errorf("%s is a file, not a folder: name a file in a folder", file.Name(folder))
		}
		return fmt.Errorf("the folder %s does not exist: create it first", file.Name(folder))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return file.Check(file.Disk, path)
}

// freeFolder returns an error for a folder into which one cannot write files of these names, or in which one is already and must not be replaced.
func freeFolder(dir string, force bool, files []string) error {
	if dir == "" {
		return nil
	}
	for _, name := range files {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil && !force {
			return fmt.Errorf("%s is there already: name another folder, or set --force to replace it", file.Name(filepath.Join(dir, name)))
		}
	}
	exists := filepath.Clean(dir)
	info, err := os.Stat(exists)
	for ; err != nil && exists != filepath.Dir(exists); info, err = os.Stat(exists) {
		exists = filepath.Dir(exists)
	}
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s is a file: name a folder", file.Name(exists))
	}
	return file.Check(file.Disk, filepath.Join(exists, filepath.Base(dir)))
}

// writeTo writes a file atomically, or to the standard output if the path is "" or -.
func writeTo(env *environment, path string, contents func(w io.Writer) error) error {
	if path == "" || path == "-" {
		return contents(env.stdout)
	}
	return file.Replace(file.Disk, path, contents)
}

// kindsOf is "column=kind,...".
type kindsOf map[string]table.Kind

// UnmarshalText parses "age=numeric,zip=category".
func (k *kindsOf) UnmarshalText(text []byte) error {
	*k = kindsOf{}
	for part := range strings.SplitSeq(string(text), ",") {
		i := strings.LastIndex(part, "=")
		if i < 1 {
			return fmt.Errorf("%s is not COLUMN=KIND,..., as in zip=category", list.Quote(string(text)))
		}
		column, kind := strings.TrimSpace(part[:i]), table.Kind(strings.TrimSpace(part[i+1:]))
		if !slices.Contains(table.Kinds, kind) {
			var all []string
			for _, k := range table.Kinds {
				all = append(all, string(k))
			}
			return fmt.Errorf("column %s: there is no kind %s; there are %s", list.Quote(column), list.Quote(string(kind)), list.Names(all))
		}
		if _, twice := (*k)[column]; twice {
			return fmt.Errorf("column %s is there twice", list.Quote(column))
		}
		(*k)[column] = kind
	}
	return nil
}

// isJSON reports whether a text begins as JSON objects do.
func isJSON(head []byte) bool {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	return len(head) > 0 && (head[0] == '{' || head[0] == '[')
}

// size shows a number of bytes.
func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// number shows a number with about four digits.
func number(v float64) string {
	if v > -1e-9 && v < 1e-9 {
		return "0.000"
	}
	if v > -1000 && v < 1000 && (v >= 0.001 || v <= -0.001) {
		return fmt.Sprintf("%.3f", v)
	}
	return fmt.Sprintf("%.4g", v)
}
