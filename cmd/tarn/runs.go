package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/train"
)

// This file holds runs, which lists and compares runs. It changes nothing in them.

// runsCommand has the arguments of runs.
type runsCommand struct {
	Dir   string     `arg:"" optional:"" default:"runs" help:"Folder in which to look for runs (runs)."`
	Sort  string     `placeholder:"COLUMN" help:"Sort by a column, by a setting, or by val_loss, seconds and the like; -COLUMN sorts from large to small. By default runs are sorted by name."`
	Where conditions `placeholder:"COLUMN=VALUE,..." help:"List only runs for which all of this holds; beside = there are !=, <, <=, > and >=."`
	JSON  bool       `name:"json" help:"Print one JSON object for each run, with all of its settings."`
}

// condition compares a column of a run with a value.
type condition struct{ column, operator, value string }

// conditions all hold.
type conditions []condition

// UnmarshalText parses "learning_rate<0.01,optimizer=adamw".
func (c *conditions) UnmarshalText(text []byte) error {
	*c = nil
	for part := range strings.SplitSeq(string(text), ",") {
		i := strings.IndexAny(part, "=!<>")
		one := condition{}
		if i > 0 {
			rest := part[i:]
			for _, operator := range []string{"!=", "<=", ">=", "==", "=", "<", ">"} {
				if value, ok := strings.CutPrefix(rest, operator); ok {
					one = condition{strings.TrimSpace(part[:i]), operator, strings.TrimSpace(value)}
					break
				}
			}
		}
		if one.column == "" || one.value == "" || strings.ContainsAny(one.value[:1], "=!<>") {
			return fmt.Errorf("%s is no condition such as learning_rate<0.01", list.Quote(part))
		}
		if _, err := strconv.ParseFloat(one.value, 64); err != nil && strings.ContainsAny(one.operator, "<>") {
			return fmt.Errorf("%s compares with %s, which is not a number", list.Quote(part), list.Quote(one.value))
		}
		*c = append(*c, one)
	}
	return nil
}

// holds reports whether the run fits the condition. Numbers are compared as numbers. A run without the column fits only !=.
func (c condition) holds(r *listedRun) bool {
	x := r.cells[c.column]
	order := compareCells(x, c.value)
	switch c.operator {
	case "=", "==":
		return x != "" && order == 0
	case "!=":
		return order != 0
	}
	a, errA := strconv.ParseFloat(x, 64)
	b, errB := strconv.ParseFloat(c.value, 64)
	if errA != nil || errB != nil {
		return false
	}
	return map[string]bool{"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[c.operator]
}

// compareCells orders numbers by size, before texts, and nothing last.
func compareCells(a, b string) int {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	switch {
	case errX == nil && errY == nil:
		return cmp.Compare(x, y)
	case (a == "") != (b == ""):
		return map[bool]int{true: 1, false: -1}[a == ""]
	case (errX == nil) != (errY == nil):
		return map[bool]int{true: -1, false: 1}[errX == nil]
	}
	return strings.Compare(a, b)
}

// listedRun is a run as it is listed.
type listedRun struct {
	Run       string             `json:"run"`
	State     string             `json:"state"`
	Epochs    int                `json:"epochs"`               // completed
	BestEpoch int                `json:"best_epoch,omitempty"` // the one of the lowest validation loss, or of the lowest training loss without a validation
	TrainLoss *float64           `json:"train_loss"`           // in the best epoch
	ValLoss   *float64           `json:"val_loss"`
	Metrics   map[string]float64 `json:"metrics,omitempty"`
	Seconds   float64            `json:"seconds"` // that the completed epochs took
	Settings  map[string]any     `json:"settings"`

	cells    map[string]string // by column; settings are columns as well
	settings map[string]string // the settings alone
}

// Run lists the runs.
func (c *runsCommand) Run(env *environment) error {
	runs, err := findRuns(env, c.Dir)
	if err != nil {
		return err
	}
	if len(runs) == 0 {
		return fmt.Errorf("there are no runs below %s: a run is a folder with a config.json that a training has written", file.Name(c.Dir))
	}
	columns := map[string]bool{}
	for _, r := range runs {
		for name := range r.cells {
			columns[name] = true
		}
	}
	sortBy, reverse := strings.CutPrefix(c.Sort, "-")
	asked := map[string]string{sortBy: "--sort"}
	for _, one := range c.Where {
		asked[one.column] = "--where"
	}
	for column, flag := range asked {
		if column != "" && !columns[column] {
			return usageError{fmt.Errorf("%s names the column %s, and the runs have %s", flag, list.Quote(column), list.Names(slices.Sorted(maps.Keys(columns))))}
		}
	}
	runs = slices.DeleteFunc(runs, func(r *listedRun) bool {
		return slices.ContainsFunc(c.Where, func(one condition) bool { return !one.holds(r) })
	})
	if sortBy != "" {
		slices.SortStableFunc(runs, func(a, b *listedRun) int {
			order := compareCells(a.cells[sortBy], b.cells[sortBy])
			if reverse && a.cells[sortBy] != "" && b.cells[sortBy] != "" {
				return -order
			}
			return order
		})
	}
	if c.JSON {
		lines := json.NewEncoder(env.stdout)
		for _, r := range runs {
			if err := lines.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	if len(runs) == 0 {
		fmt.Fprintln(env.stdout, "no run is like that")
		return nil
	}
	writeRuns(env, runs)
	return nil
}

// findRuns reads the runs below a folder, sorted by name with numbers in it by size. What cannot be read is told beside.
func findRuns(env *environment, dir string) (runs []*listedRun, err error) {
	if info, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no folder %s: name the one that has the runs", file.Name(dir))
	} else if err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder", file.Name(dir))
	}
	note := func(err error) { fmt.Fprintf(env.stderr, "tarn: %s\n", printable(err.Error())) }
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case env.ctx.Err() != nil:
			return context.Cause(env.ctx)
		case err != nil:
			note(err)
			return nil
		case !entry.IsDir():
			return nil
		case path != dir && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case !isRun(path):
			return nil
		}
		r, err := readRun(path)
		if err != nil {
			note(err)
		}
		if r != nil {
			if r.Run, err = filepath.Rel(dir, path); err != nil || r.Run == "." {
				r.Run = filepath.Base(path)
			}
			r.cells["run"] = r.Run
			runs = append(runs, r)
		}
		return fs.SkipDir
	})
	slices.SortFunc(runs, func(a, b *listedRun) int { return compareNames(a.Run, b.Run) })
	return runs, err
}

// isRun reports whether a training has written in a folder.
func isRun(dir string) bool {
	for _, name := range []string{"checkpoint.safetensors", "log.jsonl", "weights.safetensors", "lock"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			_, err := os.Lstat(filepath.Join(dir, "config.json"))
			return err == nil
		}
	}
	return false
}

// compareNames orders names with the numbers at their ends by size, so that mnist-10 comes after mnist-9.
func compareNames(a, b string) int {
	const digits = "0123456789"
	stemA, stemB := strings.TrimRight(a, digits), strings.TrimRight(b, digits)
	if stemA == stemB {
		x, errX := strconv.ParseUint(a[len(stemA):], 10, 64)
		y, errY := strconv.ParseUint(b[len(stemB):], 10, 64)
		if errX == nil && errY == nil && x != y {
			return cmp.Compare(x, y)
		}
	}
	return strings.Compare(a, b)
}

// readRun reads what is known of a run. It may return both a run and an error.
func readRun(dir string) (*listedRun, error) {
	folder, err := train.OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	r := &listedRun{State: folder.State(), cells: map[string]string{}, settings: map[string]string{}}
	if err := folder.Options(&r.Settings); err != nil {
		return nil, err
	}
	flatten("", r.Settings, r.settings)
	maps.Copy(r.cells, r.settings)
	history, broken := folder.History()
	var best *train.Record
	for i := range history {
		h := &history[i]
		r.Seconds += h.Seconds
		r.Epochs = h.Epoch
		if best == nil || lossOf(h) < lossOf(best) {
			best = h
		}
	}
	r.cells["state"], r.cells["epoch"], r.cells["seconds"] = r.State, strconv.Itoa(r.Epochs), strconv.FormatFloat(r.Seconds, 'f', 1, 64)
	if r.settings["time"] == "" {
		r.cells["time"] = r.cells["seconds"] // as the table calls it
	}
	if best != nil {
		r.BestEpoch = best.Epoch
		r.cells["best_epoch"] = strconv.Itoa(best.Epoch)
		r.TrainLoss, r.ValLoss = r.number("train_loss", best.TrainLoss), r.number("val_loss", best.ValLoss)
		r.Metrics = map[string]float64{}
		for name, x := range best.Metrics {
			if p := r.number(name, x); p != nil {
				r.Metrics[name] = *p
			}
		}
	}
	return r, broken
}

// number makes a cell of a number, if it is finite.
func (r *listedRun) number(name string, x float64) *float64 {
	if !finite(x) {
		return nil
	}
	r.cells[name] = strconv.FormatFloat(x, 'g', 5, 64)
	return &x
}

// lossOf is the loss that counts in the comparison of epochs.
func lossOf(r *train.Record) float64 {
	for _, x := range []float64{r.ValLoss, r.TrainLoss} {
		if !math.IsNaN(x) {
			return x
		}
	}
	return math.Inf(1)
}

// flatten makes cells of settings, with names such as "model.width".
func flatten(prefix string, settings map[string]any, into map[string]string) {
	for name, x := range settings {
		switch x := x.(type) {
		case map[string]any:
			flatten(prefix+name+".", x, into)
		case []any:
			var parts []string
			for _, e := range x {
				parts = append(parts, fmt.Sprint(e))
			}
			into[prefix+name] = strings.Join(parts, " ")
		case nil:
		default:
			into[prefix+name] = fmt.Sprint(x)
		}
	}
}

// writeRuns prints a table of the runs, with the settings in which they differ, and after it those that all share.
func writeRuns(env *environment, runs []*listedRun) {
	settings, metrics := map[string]bool{}, map[string]bool{}
	for _, r := range runs {
		for name := range r.settings {
			settings[name] = true
		}
		for name := range r.Metrics {
			metrics[name] = true
		}
	}
	var differ, shared []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		first := runs[0].settings[name]
		if slices.ContainsFunc(runs, func(r *listedRun) bool { return r.settings[name] != first }) {
			if name == "epochs" {
				continue // beside those completed
			}
			differ = append(differ, name)
		} else if first != "" {
			shared = append(shared, name+" "+short(first))
		}
	}
	head := []string{"run", "state", "epoch", "best_epoch", "train_loss", "val_loss"}
	head = append(append(append(head, slices.Sorted(maps.Keys(metrics))...), "time"), differ...)
	rows := [][]string{head}
	for _, r := range runs {
		var row []string
		for i, name := range head {
			cell := r.cells[name]
			switch {
			case i == 0:
				cell = printable(r.Run)
			case i > 0 && name == "epoch" && r.settings["epochs"] != "":
				cell += "/" + short(r.settings["epochs"])
			case name == "time" && i == len(head)-len(differ)-1:
				cell = time.Duration(r.Seconds * float64(time.Second)).Round(time.Second / 10).String()
			}
			row = append(row, cmp.Or(short(cell), "-"))
		}
		rows = append(rows, row)
	}
	widths := make([]int, len(head))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		fmt.Fprintln(env.stdout, strings.TrimRight(line.String(), " "))
	}
	of := "all"
	if len(runs) == 1 {
		of = "settings"
	}
	if len(shared) > 0 {
		fmt.Fprintf(env.stdout, "%s: %s\n", of, strings.Join(shared, ", "))
	}
}

// short cuts a cell that is too long for a table, and makes it printable in one line.
func short(cell string) string {
	const most = 40
	cell = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		return r
	}, cell)
	if utf8.RuneCountInString(cell) > most {
		cell = string([]rune(cell)[:most-3]) + "..."
	}
	return printable(cell)
}

// Validate checks the flags; kong calls it.
func (c *runsCommand) Validate() error {
	if c.Sort == "-" {
		return errors.New("--sort is - and should name a column")
	}
	return nil
}
