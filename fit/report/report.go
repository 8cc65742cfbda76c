// Package report writes what is known of a model and of how good its answers are: a page, the same as JSON, pictures, and a model card.
//
//	r, err := report.New(m, m.Judged(), "rows that it has not learned from")
//	err = r.WriteFolder("report")
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/fit"
	"github.com/seed-49005b45/tarn/internal/file"
)

// This file gathers what a report says, and writes its files.

// Report is what is known of a model and of its answers about some rows. It can be written as JSON.
type Report struct {
	About      fit.About       `json:"about"`
	Schema     *table.Schema   `json:"schema"`
	On         string          `json:"on"` // about which rows the answers are, in words
	Evaluation *fit.Evaluation `json:"evaluation"`

	Linear     map[string]float64 `json:"linear,omitempty"`      // metrics of the linear models alone, if the rows are those that judged
	FoldMeans  map[string]float64 `json:"fold_means,omitempty"`  // of the metrics of the folds
	FoldErrors map[string]float64 `json:"fold_errors,omitempty"` // the standard errors of these means

	ROC             []fit.Curve    `json:"roc,omitempty"` // of the second of two classes, or of each
	PrecisionRecall []fit.Curve    `json:"precision_recall,omitempty"`
	Calibration     []fit.Bin      `json:"calibration,omitempty"`
	Residuals       *Residuals     `json:"residuals,omitempty"`
	Slices          []Slices       `json:"slices,omitempty"`
	Learning        []fit.Progress `json:"learning,omitempty"` // of the networks, if the model has just been made
}

// Residuals are the predicted quantities and by how much the truth was above them, of at most 2000 rows, and quantiles of these differences of all rows.
type Residuals struct {
	Predicted []float64          `json:"predicted"`
	Residual  []float64          `json:"residual"`
	Quantiles map[string]float64 `json:"quantiles"`
}

// Slices say how good the answers are for each value of a column.
type Slices struct {
	Column string      `json:"column"`
	Slices []fit.Slice `json:"slices"`
}

// most are the most classes with a curve of their own, and the most points of a picture of residuals.
const (
	mostCurves = 10
	mostPoints = 2000
)

// New gathers a report about answers that were evaluated. on says about which rows, in words. by names columns of these rows for whose values it is told how good the answers
// are.
func New(m *fit.Model, e *fit.Evaluation, on string, by ...string) (*Report, error) {
	if m == nil || e == nil {
		return nil, errors.New("report: there is no model or no evaluation; a model that was read from a file is evaluated with Evaluate")
	}
	r := &Report{About: m.About, Schema: m.Schema(), On: on, Evaluation: e, Calibration: e.Calibration(), Learning: m.Learning()}
	if e == m.Judged() {
		r.Linear = m.About.Linear
	}
	r.FoldMeans, r.FoldErrors = m.About.FoldMeans()
	classes := len(e.Classes)
	first := 0
	if classes == 2 {
		first = 1
	}
	for class := first; class < classes && classes <= mostCurves; class++ {
		if c := e.ROC(class); c.X != nil {
			r.ROC, r.PrecisionRecall = append(r.ROC, c), append(r.PrecisionRecall, e.PrecisionRecall(class))
		}
	}
	if predicted, residuals := e.Residuals(); predicted != nil {
		r.Residuals = newResiduals(predicted, residuals)
	}
	for _, column := range by {
		slices, err := e.By(column)
		if err != nil {
			return nil, err
		}
		r.Slices = append(r.Slices, Slices{column, slices})
	}
	return r, nil
}

// WriteJSON writes the report as JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// WriteFolder writes the report into a folder, which is made if it is not there: index.html, which needs no other file, report.json, MODEL.md and the pictures as PNG files. Other
// files in the folder stay as they are.
func (r *Report) WriteFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	pictures, err := r.pictures()
	if err != nil {
		return err
	}
	write := func(name string, contents func(w io.Writer) error) error {
		return file.Replace(file.Disk, filepath.Join(dir, name), contents)
	}
	for _, p := range pictures {
		if err := write(p.File, func(w io.Writer) error { _, err := w.Write(p.png); return err }); err != nil {
			return err
		}
	}
	if err := write("report.json", r.WriteJSON); err != nil {
		return err
	}
	if err := write("MODEL.md", r.WriteCard); err != nil {
		return err
	}
	return write("index.html", func(w io.Writer) error { return r.writePage(w, pictures) })
}

// Files are the names of the files that WriteFolder may write.
var Files = []string{"index.html", "report.json", "MODEL.md", "confusion.png", "roc.png", "precision-recall.png", "calibration.png", "residuals.png", "importance.png", "learning.png"}

// number shows a number with four digits.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return strconv.FormatFloat(v, 'g', -1, 64)
	case a < 1e-9:
		return "0"
	case a >= 1e6 || a > 0 && a < 1e-3:
		return strconv.FormatFloat(v, 'g', 3, 64)
	case a >= 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// percent shows a share.
func percent(share float64) string {
	if share > 0 && share < 0.1 {
		return strconv.FormatFloat(100*share, 'f', 1, 64) + " %"
	}
	return strconv.FormatFloat(100*share, 'f', 0, 64) + " %"
}
