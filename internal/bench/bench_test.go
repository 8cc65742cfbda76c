package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn"
	_ "github.com/seed-49005b45/tarn/internal/testgc"
)

// beRank is runRank where ranks are measured.
var beRank func()

// TestMain lets this binary act as the processes that a measurement starts.
func TestMain(m *testing.M) {
	switch os.Getenv("TARN_BENCH_TEST") {
	case "result":
		fmt.Printf(`{"workload":%q,"threads":3,"median_us":12.5,"min_us":12,"max_us":14,"first_us":900,"peak_rss_mib":8}`+"\n", os.Args[3])
	case "nonsense":
		fmt.Println("hello")
	case "arguments":
		fmt.Println(strings.Join(os.Args[1:], " "))
	case "failure":
		fmt.Fprintln(os.Stderr, "something\nbench: the cause")
		os.Exit(3)
	case "rank":
		beRank()
	default:
		os.Exit(m.Run())
	}
}

// child is the Command that starts this binary in a role of TestMain.
func child(role string) Command {
	return func(ctx context.Context, arguments ...string) (*exec.Cmd, error) {
		cmd := exec.CommandContext(ctx, os.Args[0], arguments...)
		cmd.Env = append(os.Environ(), "TARN_BENCH_TEST="+role)
		return cmd, nil
	}
}

// The first loss of a network that has learned nothing is the entropy of an even guess, or a little above.
func TestWorkloads(t *testing.T) {
	first := map[string]float64{"mlp-small": math.Log(3), "mlp-mnist": math.Log(10), "gpt-mini": math.Log(vocabulary), "startup": math.Log(10)}
	for _, load := range everything {
		if load.large || (load.Name == "gpt-small" || load.flop > 1e9) && os.Getenv("TARN_LONG") == "" {
			continue // as the smaller ones, and slow on plain Go
		}
		t.Run(load.Name, func(t *testing.T) {
			b, err := load.start(tarn.PrecisionF32)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.first(); err != nil {
				t.Fatal(err)
			}
			for name, v := range b.out {
				for i := range v.Size() {
					if x := v.Float(i); math.IsNaN(x) || math.IsInf(x, 0) {
						t.Fatalf("element %d of output %q is %v", i, name, x)
					}
				}
			}
			// The peers take 4,950 to 5,000 iterations.
			if c := b.counts; load.Name == "lbfgs" && !(c.iterations > 4500 && c.iterations < 5500 && c.evaluations < 6500) {
				t.Errorf("the search took %v", c)
			}
			loss := b.out["loss"]
			if loss == nil {
				return
			}
			before := loss.Item()
			if want, ok := first[load.Name]; ok && !(math.Abs(before-want) < 0.4) {
				t.Errorf("first loss %v, want about %v", before, want)
			}
			if err := b.step(); err != nil {
				t.Fatal(err)
			}
			// With dropout the losses of two steps are those of two networks.
			if after := loss.Item(); load.Name != "cnn-mnist" && !(after < before) {
				t.Errorf("loss %v after %v: a step should lower it", after, before)
			}
		})
	}
}

func TestOnce(t *testing.T) {
	var b strings.Builder
	if err := Once(t.Context(), &b, Options{Threads: runtime.GOMAXPROCS(0)}, "linreg", "lbfgs", "gemm-64"); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.HasPrefix(got, "linreg: loss ") || !strings.Contains(got, " iterations, ") || !strings.HasSuffix(got, "\ngemm-64: done\n") {
		t.Errorf("Once printed %q", got)
	}
}

func TestFind(t *testing.T) {
	all, err := find()
	if err != nil || len(all) != len(workloads)-1 {
		t.Errorf("find() returns %d workloads and %v, want all %d but the large one", len(all), err, len(workloads))
	}
	two, err := find("hvp", "linreg")
	if err != nil || len(two) != 2 || two[0].Name != "hvp" || two[1].Name != "linreg" {
		t.Errorf("find(hvp, linreg) returns %v, %v", two, err)
	}
	_, err = find("linreg", "mlp")
	if err == nil {
		t.Fatal("no error for an unknown name")
	}
	parts := []string{`"mlp"`, Ops + " for", Products + " for", "bench --list"}
	for _, load := range workloads {
		parts = append(parts, load.Name)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error %q does not name %s", err, part)
		}
	}
	single, err := find("linreg", Ops)
	if err != nil || len(single) != 1+len(ops) || single[1].Name != ops[0].Name {
		t.Errorf("find(linreg, %s) returns %v, %v", Ops, single, err)
	}
	large, err := find(Products)
	if err != nil || len(large) != 3+len(products) || large[0].Name != "gemm-512" {
		t.Errorf("find(%s) returns %v, %v", Products, large, err)
	}
	seen := map[string]bool{}
	for _, load := range everything {
		if seen[load.Name] || load.About == "" || load.make == nil {
			t.Errorf("workload %q is listed twice or not whole", load.Name)
		}
		seen[load.Name] = true
	}
}

func TestRun(t *testing.T) {
	var b strings.Builder
	if err := Run(t.Context(), &b, Options{JSON: true, Threads: 3, Command: child("result")}, "linreg", "hvp"); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2: %q", len(lines), b.String())
	}
	for i, name := range []string{"linreg", "hvp"} {
		var r Result
		if err := json.Unmarshal([]byte(lines[i]), &r); err != nil {
			t.Fatal(err)
		}
		if want := (Result{Workload: name, Threads: 3, MedianUS: 12.5, MinUS: 12, MaxUS: 14, FirstUS: 900, PeakRSSMiB: 8}); r != want {
			t.Errorf("line %d is %+v, want %+v", i, r, want)
		}
	}

	b.Reset()
	if err := Run(t.Context(), &b, Options{Command: child("result")}, "gemm-64"); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, "12.5 us") || !strings.Contains(got, "900 us") || !strings.Contains(got, "41.9 GFLOP/s") {
		t.Errorf("the table is\n%s", got)
	}

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		o    Options
		want string
	}{
		{"threads", t.Context(), Options{Threads: -1}, "-1 threads"},
		{"nonsense", t.Context(), Options{Command: child("nonsense")}, `printed "hello\n"`},
		{"failure", t.Context(), Options{Command: child("failure")}, "linreg: exit status 3: bench: the cause"},
		{"level", t.Context(), Options{Command: child("arguments"), Level: "avx2"}, `--here --json linreg --threads ` + strconv.Itoa(runtime.NumCPU()) + ` --level avx2`},
		{"canceled", canceled, Options{Command: child("result")}, context.Canceled.Error()},
	} {
		err := Run(c.ctx, &b, c.o, "linreg")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

func TestProcesses(t *testing.T) {
	var b strings.Builder
	if err := Run(t.Context(), &b, Options{JSON: true, Threads: 2, Command: child("result")}, "startup"); err != nil {
		t.Fatal(err)
	}
	var r Result
	if err := json.Unmarshal([]byte(b.String()), &r); err != nil {
		t.Fatal(err)
	}
	if r.Workload != "startup" || r.Threads != 2 || !(0 < r.MinUS && r.MinUS <= r.MedianUS && r.MedianUS <= r.MaxUS) {
		t.Errorf("the result is %+v", r)
	}
}

func TestMeasure(t *testing.T) {
	done := func() error { return nil }
	firsts, steps := 0, 0
	got, err := measure(t.Context(), func() error { firsts++; return nil }, func() error { steps++; time.Sleep(time.Millisecond); return nil }, done)
	if err != nil {
		t.Fatal(err)
	}
	if firsts != 1 || steps < warmUpRuns+minSamples || len(got.samples) < minSamples || len(got.samples) > maxSamples {
		t.Errorf("%d first steps, %d steps, %d samples", firsts, steps, len(got.samples))
	}
	for _, s := range got.samples {
		if s < 0.001 {
			t.Errorf("a sample of %v s a step, which sleeps 1 ms", s)
		}
	}
	broken := errors.New("broken")
	fail := func() error { return broken }
	if _, err := measure(t.Context(), fail, fail, done); err != broken {
		t.Errorf("error %v, want that of the first step", err)
	}
	if _, err := measure(t.Context(), done, fail, done); err != broken {
		t.Errorf("error %v, want that of the step", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := measure(canceled, done, done, done); err != context.Canceled {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestRepeats(t *testing.T) {
	for step, want := range map[time.Duration]int{
		0: int(sampleTime), time.Microsecond: 50000, 20 * time.Millisecond: 3, 49 * time.Millisecond: 1, time.Second: 1,
	} {
		if got := repeats(step); got != want {
			t.Errorf("repeats(%v) = %d, want %d", step, got, want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, math.NaN()}, {[]float64{3}, 3}, {[]float64{4, 1}, 2.5}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 100, 2}, 3},
	} {
		if got := median(c.values); got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
}

func TestDuration(t *testing.T) {
	for us, want := range map[float64]string{
		0.18: "0.18 us", 9.994: "9.99 us", 9.996: "10.0 us", 19.54: "19.5 us", 99.96: "100 us", 999.4: "999 us", 999.6: "1.00 ms",
		4800: "4.80 ms", 61234: "61.2 ms", 999600: "1.00 s", 2.5e6: "2.50 s",
	} {
		if got := duration(us); got != want {
			t.Errorf("duration(%v) = %q, want %q", us, got, want)
		}
	}
}

func TestNoise(t *testing.T) {
	before, err := parseUse("cpu  1000 0 200 3000 50 0 10 5 0 0\ncpu0 1 2 3\n")
	if err != nil {
		t.Fatal(err)
	}
	if before.total != 4265 || before.busy != 1215 {
		t.Errorf("use %+v, want total 4265 and busy 1215", before)
	}
	after := use{total: 4465, busy: 1335, own: 100}
	if got := after.noise(before); math.Abs(got-0.1) > 1e-12 {
		t.Errorf("noise %v, want (120 - 100)/200", got)
	}
	if got := (use{}).noise(use{}); got != 0 {
		t.Errorf("noise %v without counters, want 0", got)
	}
	if _, err := parseUse("intr 1 2 3"); err == nil {
		t.Error("no error for a file of another kind")
	}
}

func TestPeakRSS(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "js" {
		t.Skip("usage_other.go: nobody tells here")
	}
	if got := peakRSS(); got < 1 || got > 1<<16 {
		t.Errorf("this process has used %v MiB at most, which cannot be", got)
	}
}

func TestParsePeer(t *testing.T) {
	got, err := parsePeer([]byte(`[{"engine": "torch", "workload": "lbfgs", "median": 0.0083, "min": 0.008, "max": 0.009, "first": 0.1, "noise": 0, "rss": 700.5, "iterations": 40, "evaluations": 50}]`), "lbfgs", 2)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Result{Workload: "lbfgs", Threads: 2, MedianUS: 8300, MinUS: 8000, MaxUS: 9000, FirstUS: 1e5, PeakRSSMiB: 700.5, Iterations: 40, Evaluations: 50}); *got != want {
		t.Errorf("result %+v, want %+v", *got, want)
	}
	for _, bad := range []string{"", "{}", "[]", `[{"workload": "hvp"}]`, `[{"workload": "linreg", "median": 1}]`, `[{"workload": "hvp", "median": "1"}]`} {
		if _, err := parsePeer([]byte(bad), "hvp", 2); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}

func TestReport(t *testing.T) {
	result := func(workload string, us, first, mib float64) *Result {
		return &Result{Workload: workload, Threads: 2, MedianUS: us, MinUS: us, MaxUS: us, FirstUS: first, PeakRSSMiB: mib}
	}
	r := report{
		Date:     time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Machine:  machine{CPU: "a processor", Processors: 2, MemoryMiB: 8000, OS: "linux/amd64"},
		Versions: map[string]string{"torch": "2", "go": "go1"}, Threads: 2,
		Engines: []string{tarnEngine, "PyTorch eager", "NumPy"},
		Results: []engineResult{
			{Engine: tarnEngine, Workload: "hvp", Result: result("hvp", 4000, 9000, 20)},
			{Engine: "PyTorch eager", Workload: "hvp", Result: result("hvp", 8400, 90000, 700)},
			{Engine: tarnEngine, Workload: "gemm-64", Result: result("gemm-64", 5, 400, 10)},
			{Engine: "PyTorch eager", Workload: "gemm-64", Problem: "exit status 1:\nno memory"},
			{Engine: "NumPy", Workload: "gemm-64", Result: result("gemm-64", 4, 100, 200)},
			{Engine: tarnEngine, Workload: "lbfgs", Result: &Result{Workload: "lbfgs", MedianUS: 100, Iterations: 40, Evaluations: 50}},
		},
	}
	own, numpy := r.Results[2].Result, r.Results[4].Result
	own.GFlops, own.PeakGFlops, numpy.GFlops = 105, 200, 131
	dir := filepath.Join(t.TempDir(), "new")
	if err := r.save(dir); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "peers-t2.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"2026-01-02, threads: 2, on a processor with 2 processors, linux/amd64. 8000 MiB of memory.\nVersions: go go1, torch 2.\n",
		"| workload | Tarn | PyTorch eager | NumPy |\n| --- | ---: | ---: | ---: |\n",
		"| hvp | 4.00 ms | 8.40 ms (2.1) | - |\n",
		"| gemm-64 | 5.00 us | - | 4.00 us (0.8) |\n",
		"reach: 200 GFLOP/s.\n\n| workload | Tarn | PyTorch eager | NumPy |\n| --- | ---: | ---: | ---: |\n| gemm-64 | 105 (52%) | - | 131 (66%) |\n",
		"| hvp | 9.00 ms | 90.0 ms (10) | - |\n",
		"| hvp | 20 MiB | 700 MiB (35) | - |\n",
		"Tarn's search in lbfgs took 40 iterations, 50 evaluations.\n",
		"PyTorch eager has no result for gemm-64: exit status 1: no memory\n",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	drawn, err := os.Open(filepath.Join(dir, "peers-t2.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer drawn.Close()
	if picture, err := png.DecodeConfig(drawn); err != nil || picture.Width < 500 || picture.Height < 100 {
		t.Errorf("the picture is %+v, %v", picture, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "peers-t2.json"))
	if err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if len(back.Results) != 6 || back.Results[5].counts() != (counts{40, 50}) || back.Results[1].MedianUS != 8400 || back.Results[1].Workload != "hvp" || back.Results[3].Result != nil || !back.Date.Equal(r.Date) {
		t.Errorf("the file holds %+v", back)
	}
}

func TestCompareWithoutPython(t *testing.T) {
	dir := t.TempDir()
	err := Compare(t.Context(), &strings.Builder{}, Options{}, filepath.Join(dir, "python"), dir, "linreg")
	if err == nil || !strings.Contains(err.Error(), "cannot run") {
		t.Errorf("error %v, want that the interpreter cannot be run", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("a comparison that could not begin left %v", entries)
	}
}

func TestField(t *testing.T) {
	const text = "processor\t: 0\nmodel name\t: AMD EPYC\nmodel name\t: other\n"
	if got := field(text, "model name"); got != "AMD EPYC" {
		t.Errorf("field is %q", got)
	}
	if got := field(text, "MemTotal"); got != "" {
		t.Errorf("field of a name that is not there is %q", got)
	}
}

func TestPeers(t *testing.T) {
	for _, p := range peers {
		if _, err := peerPrograms.Open("peers/" + p.program); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		for name := range p.only {
			if _, err := find(name); err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
		}
	}
}

// TestHeldPeers asks an interpreter that has everything which peers it has: without instructions for bfloat16 none that use it, nor where an option chooses the precision.
func TestHeldPeers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the interpreter is a shell script")
	}
	interpreter := filepath.Join(t.TempDir(), "python")
	script := `#!/bin/sh
echo '{"python": "3", "torch": "2", "jax": "0", "optax": "0", "numpy": "2", "scipy": "1", "threadpoolctl": "3"}'
`
	if err := os.WriteFile(interpreter, []byte(script), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		Options
		short bool
	}{
		{Options{}, true},
		{Options{Level: "avx512"}, true},
		{Options{Level: "avx2"}, false},
		{Options{Precision: tarn.PrecisionBF16}, false},
		{Options{Engine: "pjrt:cuda"}, false},
	} {
		p, err := newPython(t.Context(), interpreter, t.TempDir(), test.Options)
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, peer := range peers {
			if test.short || !peer.bf16 {
				want++
			}
		}
		if got := len(p.peers); got != want || len(p.lacks) > 0 {
			t.Errorf("with %+v there are %d peers, want %d; lacking: %q", test.Options, got, want, p.lacks)
		}
		if got := slices.Contains(newReport(2, p).Engines, tarnBF16); got != test.short {
			t.Errorf("with %+v Tarn in bfloat16 is compared: %v, want %v", test.Options, got, test.short)
		}
		held := test.Level == "avx2"
		got := p.surroundings([]string{"HOME=/home/me", "OPENBLAS_CORETYPE=Prescott", "OPENBLAS_L2_SIZE=512"})
		for name, want := range map[string]bool{
			"HOME=/home/me": true, "OPENBLAS_CORETYPE=Prescott": false, "OPENBLAS_L2_SIZE=512": false,
			"TORCHINDUCTOR_CACHE_DIR=" + filepath.Join(p.dir, "inductor"): true, "OPENBLAS_CORETYPE=Haswell": held, "ONEDNN_MAX_CPU_ISA=AVX2": held,
		} {
			if slices.Contains(got, name) != want {
				t.Errorf("with %+v a peer gets %q; has it %s: want %v", test.Options, got, name, want)
			}
		}
	}
}
