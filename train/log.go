package train

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"

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
}

// MarshalJSON gives the record as a JSON object.
func (r Record) MarshalJSON() ([]byte, error) {
	number := func(x float64) *float64 {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
		return &x
	}
	j := recordJSON{r.Epoch, r.Step, number(r.TrainLoss), number(r.ValLoss), nil, number(r.LR), number(r.Rate), r.Seconds}
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
	*r = Record{j.Epoch, j.Step, number(j.TrainLoss), number(j.ValLoss), nil, number(j.LR), number(j.Rate), j.Seconds}
	if len(j.Metrics) > 0 {
		r.Metrics = map[string]float64{}
	}
	for name, x := range j.Metrics {
		r.Metrics[name] = number(x)
	}
	return nil
}

// History reads the log: the records of the epochs 1, 2, ... as far as they follow each other. A line that is cut or
// broken, as a crash may leave the last one, ends it.
func (f *Folder) History() ([]Record, error) {
	text, err := os.ReadFile(f.Path(logFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("train: %w", err)
	}
	var history []Record
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		var r Record
		if json.Unmarshal(lines.Bytes(), &r) != nil || r.Epoch != len(history)+1 {
			break
		}
		history = append(history, r)
	}
	return history, nil
}

// writeLog replaces the log.
func (f *Folder) writeLog(history []Record) error {
	return f.Write(logFile, func(w io.Writer) error {
		for _, r := range history {
			line, err := json.Marshal(r)
			if err != nil {
				return err
			}
			if _, err := w.Write(append(line, '\n')); err != nil {
				return err
			}
		}
		return nil
	})
}

// appendLog adds a line to the log and syncs it.
func (f *Folder) appendLog(r Record) error {
	line, err := json.Marshal(r)
	if err == nil {
		err = file.Append(f.disk, f.Path(logFile), append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("train: cannot write %s: %w", f.Path(logFile), err)
	}
	return nil
}
