package search

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/seed-49005b45/tarn/fit"
	"github.com/seed-49005b45/tarn/internal/file"
)

// This file keeps the trials in a file, to which a line is added for each. A line that a kill has cut is removed.

// head is the first line of the file. A search goes on only if it is the same.
type head struct {
	Search string `json:"search"` // a sum of the table, the options, the space and the seed
	Target string `json:"target"`
}

// trialLog is the file of the trials.
type trialLog struct {
	path   string
	trials []Trial
}

// openLog reads the trials that are there, or begins a file.
func openLog(o Options, plan *fit.Plan) (*trialLog, error) {
	l := &trialLog{path: o.File}
	if o.File == "" {
		return l, nil
	}
	sum := sha256.New()
	base := o.Base
	base.Progress, base.Test = nil, nil
	for _, v := range []any{plan.Digest(), base, o.Space, o.Seed} {
		text, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("search: %w", err)
		}
		sum.Write(text)
	}
	mine := head{hex.EncodeToString(sum.Sum(nil)), plan.Schema.Target().Name}
	first, err := json.Marshal(mine)
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	first = append(first, '\n')
	if _, err := os.Stat(o.File); errors.Is(err, fs.ErrNotExist) {
		return l, file.Append(file.Disk, o.File, first)
	}
	content, err := file.Read(o.File, 1<<30)
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	if end := bytes.LastIndexByte(content, '\n') + 1; end < len(content) {
		if err := os.Truncate(o.File, int64(end)); err != nil {
			return nil, fmt.Errorf("search: %w", err)
		}
		content = content[:end]
	}
	number := 0
	for line := range bytes.Lines(content) {
		number++
		bad := func(err error) error {
			return fmt.Errorf("search: %s, line %d: this is no trial: %w; name another file, or remove it", file.Name(o.File), number, err)
		}
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if number == 1 {
			var there head
			if err := d.Decode(&there); err != nil {
				return nil, bad(err)
			}
			if there != mine {
				return nil, fmt.Errorf("search: %s has the trials of another table, target, space or seed, or of other options: name another file", file.Name(o.File))
			}
			continue
		}
		t := Trial{Known: true}
		if err := d.Decode(&t); err != nil {
			return nil, bad(err)
		}
		if t.Number < 0 || t.Rung < 0 || t.Rung > top || t.Number > 0 && len(t.Settings.Hidden) == 0 || t.Loss != t.Loss {
			return nil, bad(errors.New("a number is out of range"))
		}
		l.trials = append(l.trials, t)
	}
	if number == 0 {
		return l, file.Append(file.Disk, o.File, first)
	}
	return l, nil
}

// append writes a trial.
func (l *trialLog) append(t Trial) error {
	if l.path == "" {
		return nil
	}
	line, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("search: %w", err)
	}
	if err := file.Append(file.Disk, l.path, append(line, '\n')); err != nil {
		return fmt.Errorf("search: %w", err)
	}
	return nil
}
