package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn/internal/file"
)

// This file holds the log of a run: a JSON object a line, one for each epoch.

// Record is what is known of an epoch when it has ended. Numbers that are not finite are null in JSON.
type Record struct {
	Epoch     int                // from 1
	Step      int64              // runs completed
	TrainLoss float64            // mean over the epoch's examples, each as the weights were at its turn
	ValLoss   float64            // mean over the validation set, NaN where there is none
	Metrics   map[string]float64 // on the validation set
	LR        float64            // learning rate of the last run, NaN if the optimizer does not tell it
	Rate      float64            // training examples a second
	Seconds   float64            // that the epoch took, evaluation included
	Skipped   int                // batches that were skipped: see Loop.SkipNonFinite
}

// recordJSON is a Record as JSON has it.
type recordJSON struct {
	Epoch     int                 `json:"epoch"`
	Step      int64               `json:"step"`
	TrainLoss *float64            `json:"train_loss"`
	ValLoss   *float64            `json:"val_loss"`
	Metrics   map[string]*float64 `json:"metrics,omitempty"`
	LR        *float64            `json:"lr"`
	Rate      *float64            `json:"examples_per_second"`
	Seconds   float64             `json:"seconds"`
	Skipped   int                 `json:"skipped,omitempty"`
}

// MarshalJSON returns the record as a JSON object.
func (r Record) MarshalJSON() ([]byte, error) {
	number := func(x float64) *float64 {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
		return &x
	}
	j := recordJSON{r.Epoch, r.Step, number(r.TrainLoss), number(r.ValLoss), nil, number(r.LR), number(r.Rate), r.Seconds, r.Skipped}
	if len(r.Metrics) > 0 {
		j.Metrics = map[string]*float64{}
	}
	for name, x := range r.Metrics {
		j.Metrics[name] = number(x)
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads a record; null becomes NaN.
func (r *Record) UnmarshalJSON(text []byte) error {
	var j recordJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	number := func(x *float64) float64 {
		if x == nil {
			return math.NaN()
		}
		return *x
	}
	*r = Record{j.Epoch, j.Step, number(j.TrainLoss), number(j.ValLoss), nil, number(j.LR), number(j.Rate), j.Seconds, j.Skipped}
	if len(j.Metrics) > 0 {
		r.Metrics = map[string]float64{}
	}
	for name, x := range j.Metrics {
		r.Metrics[name] = number(x)
	}
	return nil
}

// History reads the log and returns the records of the epochs. Lines that cannot be read are left out, and the error, which
// then comes with the records, counts them. A last line that is not complete may be one that is just being written, and is
// left out without an error.
func (f *Folder) History() ([]Record, error) {
	lines, err := f.readLog()
	if err != nil {
		return nil, err
	}
	var history []Record
	var broken []int
	for i, line := range lines {
		switch {
		case line.record != nil:
			history = append(history, *line.record)
		case line.complete:
			broken = append(broken, i+1)
		}
	}
	if len(broken) > 0 {
		return history, fmt.Errorf("train: %s: lines that cannot be read: %s", file.Name(f.Path(logFile)), numbers(broken))
	}
	return history, nil
}

// logLine is a line of the log. It has no record if it cannot be read, or if its epoch does not come after those before it.
type logLine struct {
	text     []byte
	complete bool // whether a newline ends it
	record   *Record
}

// readLog reads the lines of the log, none if there is no log.
func (f *Folder) readLog() ([]logLine, error) {
	text, err := file.Read(f.Path(logFile), maxLog)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("train: %w", err)
	}
	var lines []logLine
	epoch := 0
	for len(text) > 0 {
		var line logLine
		line.text, text, line.complete = bytes.Cut(text, []byte("\n"))
		var r Record
		if checkKeys(line.text) == nil && json.Unmarshal(line.text, &r) == nil && r.Epoch > epoch {
			line.record, epoch = &r, r.Epoch
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// resumeLog returns the history of a training that has completed a number of epochs, and makes the log ready to be
// continued. The lines of later epochs are removed, since these epochs come again, and a line that a crash has cut. The
// last record, if the checkpoint has it, counts more than what the log says of its epoch. Other lines that cannot be read
// stay as they are, and are reported, and so are epochs without a line.
func (f *Folder) resumeLog(epochs int, last *Record) ([]Record, error) {
	lines, err := f.readLog()
	if err != nil {
		return nil, err
	}
	known, err := json.Marshal(last)
	if err != nil {
		return nil, fmt.Errorf("train: log: %w", err)
	}
	var history []Record
	var kept [][]byte
	var broken []int
	var cut []byte
	for i, line := range lines {
		switch r := line.record; {
		case r == nil && !line.complete:
			cut = line.text
		case r == nil:
			broken, kept = append(broken, i+1), append(kept, line.text)
		case r.Epoch > epochs:
		case r.Epoch == epochs && last != nil:
			if !bytes.Equal(line.text, known) {
				f.report("%s: line %d is not what the checkpoint knows of epoch %d, and is replaced by that", file.Name(f.Path(logFile)), i+1, epochs)
			}
			history, kept, last = append(history, *last), append(kept, known), nil
		default:
			history, kept = append(history, *r), append(kept, line.text)
		}
	}
	if last != nil {
		history = append(history, *last)
	}
	if missing := missingEpochs(history, epochs); len(missing) > 0 {
		f.report("%s has no lines for the epochs %s", file.Name(f.Path(logFile)), numbers(missing))
		if cut != nil {
			broken, kept = append(broken, len(lines)), append(kept, cut)
		}
	}
	if last != nil {
		kept = append(kept, known)
	}
	if len(broken) > 0 {
		f.report("%s: lines that cannot be read, and stay as they are: %s", file.Name(f.Path(logFile)), numbers(broken))
	}
	var before, after bytes.Buffer
	for _, line := range lines {
		before.Write(line.text)
		if line.complete {
			before.WriteByte('\n')
		}
	}
	for _, text := range kept {
		after.Write(append(text, '\n'))
	}
	if bytes.Equal(before.Bytes(), after.Bytes()) {
		return history, nil
	}
	return history, f.Write(logFile, func(w io.Writer) error {
		_, err := w.Write(after.Bytes())
		return err
	})
}

// missingEpochs returns which of the first epochs have no record.
func missingEpochs(history []Record, epochs int) (missing []int) {
	next := 1
	for _, r := range append(history, Record{Epoch: epochs + 1}) {
		for ; next < r.Epoch; next++ {
			missing = append(missing, next)
		}
		next = r.Epoch + 1
	}
	return missing
}

// numbers lists rising numbers, as in "1, 4 to 7".
func numbers(of []int) string {
	var parts []string
	for i := 0; i < len(of); {
		j := i
		for j+1 < len(of) && of[j+1] == of[j]+1 {
			j++
		}
		switch {
		case j == i:
			parts = append(parts, strconv.Itoa(of[i]))
		default:
			parts = append(parts, fmt.Sprintf("%d to %d", of[i], of[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ", ")
}

// appendLog adds a line to the log and syncs it.
func (f *Folder) appendLog(r Record) error {
	line, err := json.Marshal(r)
	if err == nil {
		err = file.Append(f.disk, f.Path(logFile), append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("train: cannot write %s: %w", file.Name(f.Path(logFile)), err)
	}
	return nil
}
