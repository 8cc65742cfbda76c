package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/internal/bench"
)

func TestBench(t *testing.T) {
	t.Setenv(asCommand, "yes") // for the processes that it starts
	stdout, _ := command(t, 0, "bench", "startup", "--threads", "1", "--json")
	var r bench.Result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v in %q", err, stdout)
	}
	if r.Workload != "startup" || r.Threads != 1 || !(r.MedianUS > 0) {
		t.Errorf("the result is %+v", r)
	}

	stdout, _ = command(t, 0, "bench", "--once", "linreg", "gemm-64")
	if !strings.Contains(stdout, "linreg: loss ") {
		t.Errorf("--once printed %q", stdout)
	}
	stdout, _ = command(t, 0, "bench", "--level", "go", "--json", "startup") // by processes of that level
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || !(r.MedianUS > 0) {
		t.Errorf("--level go printed %q", stdout)
	}
	stdout, _ = command(t, 0, "bench", "--list")
	for _, name := range bench.Names() {
		if !strings.Contains(stdout, name+" ") {
			t.Errorf("the list lacks %s:\n%s", name, stdout)
		}
	}
}

func TestBenchRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"bench mlp":                   "choose among linreg, mlp-small",
		"bench linreg --threads=-1":   "should be from 1",
		"bench linreg --level=sse":    `--level: cpu: "sse" is not a level of this processor: choose go`,
		"bench --list --json":         "can't be used together",
		"bench --once --peers python": "can't be used together",
	} {
		if _, stderr := command(t, exitUsage, strings.Fields(args)...); !strings.Contains(stderr, want) {
			t.Errorf("tarn %s: %q, want %q", args, stderr, want)
		}
	}
	if _, stderr := command(t, exitFailure, "bench", "linreg", "--peers", t.TempDir()+"/python"); !strings.Contains(stderr, "cannot run") {
		t.Errorf("without an interpreter: %q", stderr)
	}
	if _, stderr := command(t, exitFailure, "bench", "linreg", "--level", "go", "--peers", "python"); !strings.Contains(stderr, "no peer can be held to the level go") {
		t.Errorf("with peers at level go: %q", stderr)
	}
}
