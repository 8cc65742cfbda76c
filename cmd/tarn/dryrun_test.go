package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The tests ask each training what it would take, and look at what a training records.

func TestDryRun(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: measures this machine")
	}
	run := filepath.Join(t.TempDir(), "run")
	command(t, 0, with("--quiet", "--epochs", "1", "--out", run)...)
	before := filesOf(t, run)
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		args []string
		want []string
	}{
		{with("--dry-run", "--epochs", "7"), []string{"layers", "[60 24]  ReLU", "19,090 weights, all trainable, 74.6 KiB", "memory: ", "weights 74.6 KiB, optimizer 149.1 KiB", "GFLOP/s", "an epoch of 50 steps", "for 7 epochs"}},
		{with("--dry-run", "--watch", "0", "--optimizer", "sgd"), []string{"optimizer 0 B, watching 0 B"}},
		{[]string{"train", "mnist", "--resume", run, "--dry-run"}, []string{"19,090 weights", "for 1 epochs"}},
		{smallGPT(t, "--dry-run"), []string{"blocks", "self_attn", "(without weights)", "memory: ", "for 2 epochs"}},
		{[]string{"train", "linreg", "--dry-run", "--steps", "50"}, []string{"theta", "2 weights, all trainable, 16 B", "memory: ", "for 50 steps"}},
	} {
		out, message := command(t, 0, c.args...)
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("tarn %q prints no %q:\n%s%s", c.args, want, out, message)
			}
		}
	}
	if files, err := os.ReadDir("."); err != nil || len(files) > 0 {
		t.Errorf("the dry runs have written %v, %v", files, err)
	}
	if after := filesOf(t, run); after != before {
		t.Errorf("the dry run of a run has changed it from\n%s\nto\n%s", before, after)
	}
}

// filesOf lists the files of a folder with their sizes and times.
func filesOf(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(strings.Join([]string{e.Name(), info.ModTime().String(), info.Mode().String()}, " ") + "\n")
	}
	return b.String()
}

func TestWatchFlags(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: trains several networks")
	}
	for _, c := range []struct {
		flags []string
		looks string // what the file of records has, or "" for no file
		not   string
	}{
		{nil, `"every":20`, `"histogram"`},
		{[]string{"--watch", "7", "--watch-histograms"}, `"every":7`, "?"},
		{[]string{"--watch", "0"}, "", ""},
		{[]string{"--watch", "0", "--tensorboard"}, "", ""},
	} {
		dir := filepath.Join(t.TempDir(), "run")
		command(t, 0, with(append(c.flags, "--quiet", "--epochs", "1", "--out", dir)...)...)
		if events, _ := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*")); len(events) == 1 != slices.Contains(c.flags, "--tensorboard") {
			t.Errorf("%q: event files %v", c.flags, events)
		}
		text, err := os.ReadFile(filepath.Join(dir, "watch.jsonl"))
		if c.looks == "" {
			if err == nil {
				t.Errorf("%q: there are records", c.flags)
			}
			continue
		}
		if err != nil || !strings.Contains(string(text), c.looks) || strings.Contains(string(text), c.not) {
			t.Errorf("%q: the records are %.300s, %v", c.flags, text, err)
		}
		if histograms := strings.Contains(string(text), `"of":"gradient"`); histograms != (len(c.flags) > 2) {
			t.Errorf("%q: there are histograms: %v", c.flags, histograms)
		}
	}
}
