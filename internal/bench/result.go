package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"text/tabwriter"
)

// This file holds Result, the outcome of one measurement, and how it is shown.

// Result is one workload measured at one number of threads. Times are of one step.
type Result struct {
	Workload   string  `json:"workload"`
	Threads    int     `json:"threads"`
	MedianUS   float64 `json:"median_us"`
	MinUS      float64 `json:"min_us"`
	MaxUS      float64 `json:"max_us"`
	FirstUS    float64 `json:"first_us"`     // tracing, compiling and the first step; for startup, the first process
	PeakRSSMiB float64 `json:"peak_rss_mib"` // of the whole process; 0 if the system does not report it

	// If a step is a matrix product: its arithmetic, and what the threads could do in registers alone, per second.
	GFlops     float64 `json:"gflops,omitempty"`
	PeakGFlops float64 `json:"register_peak_gflops,omitempty"`

	// If a step is a search for a minimum, what it took.
	Iterations  int `json:"iterations,omitempty"`
	Evaluations int `json:"evaluations,omitempty"`
}

func (r Result) counts() counts { return counts{r.Iterations, r.Evaluations} }

// speed is the arithmetic per second, and its share of the register peak.
func (r Result) speed() string {
	if r.PeakGFlops == 0 {
		return fmt.Sprintf("%.1f GFLOP/s", r.GFlops)
	}
	return fmt.Sprintf("%.1f GFLOP/s, %.0f%% of the peak", r.GFlops, 100*r.GFlops/r.PeakGFlops)
}

// newResult sums up samples in seconds.
func newResult(workload string, threads int, first float64, samples []float64, rss float64) Result {
	return Result{
		Workload: workload, Threads: threads,
		MedianUS: rounded(1e6 * median(samples)), MinUS: rounded(1e6 * slices.Min(samples)), MaxUS: rounded(1e6 * slices.Max(samples)),
		FirstUS: rounded(1e6 * first), PeakRSSMiB: rounded(rss),
	}
}

// median returns the middle of the values, or the mean of the two in the middle; NaN if there are none.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	switch {
	case n == 0:
		return math.NaN()
	case n%2 == 1:
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// rounded keeps five digits, more than any clock is accurate to.
func rounded(x float64) float64 {
	y, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 5, 64), 64)
	return y
}

// writeJSON writes the result as one line.
func (r Result) writeJSON(w io.Writer) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s\n", line)
	return err
}

// table prints results in columns, as they arrive.
type table struct {
	w io.Writer
}

const tableRow = "%-26s %7s  %10s  %10s  %10s  %10s  %9s  %s\n"

func (t table) header() error {
	_, err := fmt.Fprintf(t.w, tableRow, "workload", "threads", "median", "min", "max", "first", "peak MiB", "")
	return err
}

func (t table) row(r Result) error {
	note := ""
	switch {
	case r.GFlops > 0:
		note = r.speed()
	case r.Iterations > 0:
		note = r.counts().String()
	}
	_, err := fmt.Fprintf(t.w, tableRow, r.Workload, strconv.Itoa(r.Threads), duration(r.MedianUS), duration(r.MinUS),
		duration(r.MaxUS), duration(r.FirstUS), fmt.Sprintf("%.0f", r.PeakRSSMiB), note)
	return err
}

// duration prints microseconds in the unit that suits them, with three digits.
func duration(us float64) string {
	unit := "us"
	switch {
	case us >= 999.5e3:
		us, unit = us/1e6, "s"
	case us >= 999.5:
		us, unit = us/1e3, "ms"
	}
	digits := 2
	switch {
	case us >= 99.95:
		digits = 0
	case us >= 9.995:
		digits = 1
	}
	return strconv.FormatFloat(us, 'f', digits, 64) + " " + unit
}

// WriteNames lists the workloads, and what a step of each is.
func WriteNames(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, w := range everything {
		fmt.Fprintf(t, "%s\t%s\n", w.Name, w.About)
	}
	return t.Flush()
}
