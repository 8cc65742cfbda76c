package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/file"
)

// This file compares Tarn with its peers: the run, and the report of it.

// report is a comparison: the same workloads on the same machine, engine after engine.
type report struct {
	Date     time.Time         `json:"date"`
	Machine  machine           `json:"machine"`
	Versions map[string]string `json:"versions"`
	Threads  int               `json:"threads"`
	Held     []string          `json:"held,omitempty"` // what holds the peers to the level of Tarn
	Engines  []string          `json:"engines"`        // Tarn first
	Results  []engineResult    `json:"results"`
}

// engineResult is what one engine did on one workload: a result, or why there is none.
type engineResult struct {
	Engine   string `json:"engine"`
	Workload string `json:"workload"`
	*Result
	Problem string `json:"problem,omitempty"`
}

const (
	tarnEngine = "Tarn"
	tarnBF16   = "Tarn, bf16" // with products of bfloat16 operands
)

// Compare measures the named workloads by Tarn and, workload by workload, by all the peers that the Python
// interpreter has. It writes the report to peers-tN.md, peers-tN.json and, as
// a picture, peers-tN.png in dir, N being the threads, and shows it on w. A
// comparison that is interrupted reports what it has.
func Compare(ctx context.Context, w io.Writer, o Options, interpreter, dir string, names ...string) error {
	list, err := find(names...)
	if err != nil {
		return err
	}
	temporary, err := os.MkdirTemp("", "tarn-bench-")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer os.RemoveAll(temporary)
	p, err := newPython(ctx, interpreter, temporary, o)
	if err != nil {
		return err
	}
	if len(p.lacks) > 0 {
		fmt.Fprintf(w, "without %s\n", strings.Join(p.lacks, "; without "))
	}
	report := newReport(o.threads(), p)
	if o.Level != "" {
		report.Machine.Level, report.Held = o.Level, p.environment
	}
	if o.Precision != tarn.PrecisionF32 {
		report.Versions["precision of products"] = o.Precision.String()
	}
	if o.Engine != "" {
		report.Versions["Tarn's engine"] = o.Engine
	}
	for _, load := range list {
		if err = report.compare(ctx, w, o, p, load); err != nil {
			break
		}
	}
	if len(report.Results) == 0 {
		return err
	}
	return errors.Join(err, report.save(dir), report.show(w))
}

func newReport(threads int, p *python) *report {
	r := &report{Date: time.Now().UTC().Truncate(time.Second), Machine: thisMachine(), Versions: ownVersions(), Threads: threads, Engines: []string{tarnEngine}}
	if p.short {
		r.Engines = append(r.Engines, tarnBF16)
	}
	maps.Copy(r.Versions, p.versions)
	for _, peer := range p.peers {
		r.Engines = append(r.Engines, peer.name)
	}
	return r
}

// compare adds one workload. A failure of a peer is part of the report; a failure of Tarn is an error.
func (r *report) compare(ctx context.Context, w io.Writer, o Options, p *python, load workload) error {
	own, err := o.measure(ctx, load)
	if err != nil {
		return err
	}
	r.Results = append(r.Results, engineResult{Engine: tarnEngine, Workload: load.Name, Result: &own})
	fmt.Fprintf(w, "%s: %s %s", load.Name, tarnEngine, duration(own.MedianUS))
	if multiplying()[load.Name] != "" && p.short {
		short := o
		short.Precision = tarn.PrecisionBF16
		own, err := short.measure(ctx, load)
		if err != nil {
			return err
		}
		r.Results = append(r.Results, engineResult{Engine: tarnBF16, Workload: load.Name, Result: &own})
		fmt.Fprintf(w, ", %s %s", tarnBF16, duration(own.MedianUS))
	}
	for _, peer := range p.peers {
		result, err := p.measure(ctx, peer, load.Name, o)
		if ctx.Err() != nil {
			fmt.Fprintln(w)
			return context.Cause(ctx)
		}
		switch {
		case err != nil:
			r.Results = append(r.Results, engineResult{Engine: peer.name, Workload: load.Name, Problem: err.Error()})
			fmt.Fprintf(w, ", %s failed", peer.name)
		case result != nil:
			result.GFlops = load.gflops(*result)
			r.Results = append(r.Results, engineResult{Engine: peer.name, Workload: load.Name, Result: result})
			fmt.Fprintf(w, ", %s %s", peer.name, duration(result.MedianUS))
		}
	}
	_, err = fmt.Fprintln(w)
	return err
}

// save writes the report into dir.
func (r *report) save(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	picture, err := r.picture()
	if err != nil {
		return err
	}
	write := func(ending string, text []byte) error {
		name := filepath.Join(dir, fmt.Sprintf("peers-t%d%s", r.Threads, ending))
		err := file.Replace(file.Disk, name, func(w io.Writer) error {
			_, err := w.Write(text)
			return err
		})
		if err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		return nil
	}
	return errors.Join(write(".json", append(text, '\n')), write(".md", []byte(r.markdown())), write(".png", picture))
}

func (r *report) show(w io.Writer) error {
	_, err := fmt.Fprintf(w, "\n%s", r.markdown())
	return err
}

// markdown returns the report as a page.
func (r *report) markdown() string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "# Tarn and its peers\n\n%s, threads: %d, on %s with %d processors, %s.", r.Date.Format("2006-01-02"), r.Threads, m.CPU, m.Processors, m.OS)
	if m.MemoryMiB > 0 {
		fmt.Fprintf(&b, " %d MiB of memory.", m.MemoryMiB)
	}
	if m.Level != "" {
		fmt.Fprintf(&b, " TARN_CPU=%s.", m.Level)
	}
	if len(r.Held) > 0 {
		fmt.Fprintf(&b, " The peers are held to it by %s.", strings.Join(r.Held, ", "))
	}
	var versions []string
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		versions = append(versions, name+" "+r.Versions[name])
	}
	fmt.Fprintf(&b, "\nVersions: %s.\n", strings.Join(versions, ", "))

	b.WriteString("\n## Time of one step\n\nMedians. The number in brackets is the engine's time over Tarn's: above 1 Tarn is faster, and a ratio near 1 is a tie.\n\n")
	r.table(&b, func(x Result) float64 { return x.MedianUS }, duration)
	r.speeds(&b)
	b.WriteString("\n## Time to the end of the first step\n\nCompilation included; for startup, the first process.\n\n")
	r.table(&b, func(x Result) float64 { return x.FirstUS }, duration)
	b.WriteString("\n## Peak resident memory\n\nOf the whole process.\n\n")
	r.table(&b, func(x Result) float64 { return x.PeakRSSMiB }, func(mib float64) string { return fmt.Sprintf("%.0f MiB", mib) })

	for _, x := range r.Results {
		if x.Result != nil && x.Iterations > 0 {
			fmt.Fprintf(&b, "\n%s's search in %s took %v.\n", x.Engine, x.Workload, x.counts())
		}
	}
	for _, x := range r.Results {
		if x.Problem != "" {
			fmt.Fprintf(&b, "\n%s has no result for %s: %s\n", x.Engine, x.Workload, strings.Join(strings.Fields(x.Problem), " "))
		}
	}
	return b.String()
}

// speeds writes what the products reach of the register peak, if there are any.
func (r *report) speeds(b *strings.Builder) {
	var only report
	only.Engines = r.Engines
	peak := 0.0
	for _, x := range r.Results {
		if x.Result != nil && x.GFlops > 0 {
			only.Results = append(only.Results, x)
			peak = max(peak, x.PeakGFlops)
		}
	}
	if peak == 0 {
		return
	}
	fmt.Fprintf(b, "\n## Speed of products\n\nAs a share of what multiply-adds between registers alone reach: %.0f GFLOP/s.\n\n", peak)
	only.cells(b, func(x, _ *Result) string { return fmt.Sprintf("%.0f (%.0f%%)", x.GFlops, 100*x.GFlops/peak) })
}

// table writes one figure of all results, a row for each workload and a column for each engine.
func (r *report) table(b *strings.Builder, figure func(Result) float64, print func(float64) string) {
	r.cells(b, func(x, own *Result) string {
		if x == own || own == nil || figure(*own) <= 0 {
			return print(figure(*x))
		}
		return fmt.Sprintf("%s (%s)", print(figure(*x)), ratio(figure(*x)/figure(*own)))
	})
}

// cells writes a row for each workload and a column for each engine. A cell is made of the engine's result and Tarn's.
func (r *report) cells(b *strings.Builder, print func(x, own *Result) string) {
	cells := map[string]map[string]*Result{}
	var order []string
	for _, x := range r.Results {
		if cells[x.Workload] == nil {
			cells[x.Workload] = map[string]*Result{}
			order = append(order, x.Workload)
		}
		cells[x.Workload][x.Engine] = x.Result
	}
	fmt.Fprintf(b, "| workload | %s |\n| --- |%s\n", strings.Join(r.Engines, " | "), strings.Repeat(" ---: |", len(r.Engines)))
	for _, workload := range order {
		fmt.Fprintf(b, "| %s |", workload)
		own := cells[workload][tarnEngine]
		for _, engine := range r.Engines {
			if x := cells[workload][engine]; x == nil {
				b.WriteString(" - |")
			} else {
				fmt.Fprintf(b, " %s |", print(x, own))
			}
		}
		b.WriteByte('\n')
	}
}

// ratio prints a ratio with its significant digits.
func ratio(x float64) string {
	if x < 9.95 {
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}
