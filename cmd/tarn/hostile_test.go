package main

// The tests give the command files that are none, take files away from its runs, and close its output.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn/data/opticks"
)

// smallGPT are flags of a training of a language model that takes no time.
func smallGPT(t *testing.T, flags ...string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(path, []byte(opticks.Text()[:6000]), 0o600); err != nil {
		t.Fatal(err)
	}
	return append([]string{"train", "gpt", "--text", path, "--layers", "1", "--width", "16", "--heads", "2", "--context", "16", "--epochs", "2"}, flags...)
}

// copyRun copies the files of a run to a new folder.
func copyRun(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "run")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestResumeLost resumes finished runs of both tasks that have lost files, or are given a new beginning.
func TestResumeLost(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: trains two networks and resumes them")
	}
	runs, ends := map[string]string{"mnist": filepath.Join(t.TempDir(), "run")}, map[string]string{}
	ends["mnist"], _ = command(t, 0, with("--quiet", "--out", runs["mnist"])...)
	runs["gpt"] = filepath.Join(t.TempDir(), "run")
	ends["gpt"], _ = command(t, 0, smallGPT(t, "--quiet", "--out", runs["gpt"])...)
	for _, c := range []struct {
		name    string
		gone    []string
		edit    func(config string) string
		flags   []string
		code    int
		message string
	}{
		{"nothing", nil, nil, nil, 0, ""},
		{"log", []string{"log.jsonl"}, nil, nil, 0, "log.jsonl has no lines for the epochs 1"},
		{"weights", []string{"weights.safetensors"}, nil, nil, 0, ""},
		{"checkpoint", []string{"checkpoint.safetensors"}, nil, nil, 0, "has no checkpoint.safetensors: resuming from checkpoint-2.safetensors"},
		{"checkpoints", []string{"checkpoint.safetensors", "checkpoint-2.safetensors"}, nil, nil, 1, "--restart"},
		{"checkpoints, restarted", []string{"checkpoint.safetensors", "checkpoint-2.safetensors"}, nil, []string{"--restart"}, 0, ""},
		{"restarted", nil, nil, []string{"--restart"}, 0, ""},
		{"config", []string{"config.json"}, nil, nil, 1, "has no config.json, though it has weights.safetensors"},
		{"config, restarted", []string{"config.json"}, nil, []string{"--restart"}, 1, "has no config.json"},
		{"rate edited", nil, func(s string) string { return strings.Replace(s, `"learning_rate": 0.00`, `"learning_rate": 0.01`, 1) }, nil, 1, "checksum"},
		{"field doubled", nil, func(s string) string { return strings.Replace(s, "{", `{"epochs": 1,`, 1) }, nil, 1, "twice"},
		{"fewer epochs", nil, nil, []string{"--epochs", "1"}, 1, "Epochs is 1: set it to"},
	} {
		for task, run := range runs {
			dir := copyRun(t, run)
			for _, name := range c.gone {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			if c.edit != nil {
				path := filepath.Join(dir, "config.json")
				text, _ := os.ReadFile(path)
				os.WriteFile(path, []byte(c.edit(string(text))), 0o600)
			}
			out, message := command(t, c.code, append([]string{"train", task, "--quiet", "--resume", dir}, c.flags...)...)
			if !strings.Contains(message, c.message) || c.message == "" && message != "" {
				t.Errorf("%s, %s: prints %q, want %q", task, c.name, message, c.message)
			}
			if c.code == 0 && out != ends[task] {
				t.Errorf("%s, %s: ends with %q, want %q", task, c.name, out, ends[task])
			}
		}
	}
	// A new run in a folder that has lost its configuration, and in one that has it.
	dir := copyRun(t, runs["mnist"])
	if _, message := command(t, 1, with("--out", dir)...); !strings.Contains(message, "holds a run already") {
		t.Errorf("a run over a run: %q", message)
	}
	os.Remove(filepath.Join(dir, "config.json"))
	if _, message := command(t, 1, with("--out", dir)...); !strings.Contains(message, "has no config.json, but weights.safetensors") {
		t.Errorf("a run over the rest of one: %q", message)
	}
	if out, message := command(t, 0, with("--quiet", "--out", dir, "--restart")...); out != ends["mnist"] || message != "" {
		t.Errorf("restarted: %q, %q", out, message)
	}
}

// TestHostileFiles gives every argument that names a file what is none, which is an error at once.
func TestHostileFiles(t *testing.T) {
	dir := t.TempDir()
	run := filepath.Join(dir, "run")
	command(t, 0, with("--quiet", "--epochs", "1", "--out", run)...)
	table, model := flats(t, dir, "flats.csv", 40), filepath.Join(dir, "m.tarn")
	command(t, 0, quickFit(table, "price", "--out", model)...)
	files := map[string]string{"directory": dir, "missing": filepath.Join(dir, "a\x1b[2J\x07b")}
	if runtime.GOOS == "linux" {
		files["pipe"], files["device"] = filepath.Join(dir, "pipe"), "/dev/zero"
		if err := exec.Command("mkfifo", files["pipe"]).Run(); err != nil {
			t.Fatal(err)
		}
	}
	sparse := filepath.Join(dir, "sparse")
	os.WriteFile(sparse, nil, 0o600)
	if err := os.Truncate(sparse, 1<<40); err == nil {
		files["sparse"] = sparse
	} else if runtime.GOOS == "linux" {
		t.Fatal(err)
	}
	for what, path := range files {
		linked := func(names ...string) string {
			dir := copyRun(t, run)
			for _, name := range names {
				os.Remove(filepath.Join(dir, name))
				if err := os.Symlink(path, filepath.Join(dir, name)); err != nil && runtime.GOOS == "windows" {
					t.Skipf("not everyone may make links: %v", err)
				} else if err != nil {
					t.Fatal(err)
				}
			}
			return dir
		}
		for _, args := range [][]string{
			{"inspect", path},
			{"predict", run, path},
			{"fit", path, "--target", "x"},
			{"fit", table, "--target", "price", "--schema", path},
			{"fit", table, "--target", "price", "--test", path, "--out", filepath.Join(dir, "none.tarn")},
			{"search", path, "--target", "x"},
			{"search", table, "--target", "price", "--space", path, "--out", filepath.Join(dir, "none.tarn")},
			{"predict", model, path},
			{"evaluate", model, path},
			{"evaluate", path, table},
			{"check", path, "--model", model},
			{"check", table, "--model", path},
			{"serve", path, "--addr", "localhost:0"},
			{"serve", model, "--addr", "localhost:0", "--token-file", path},
			{"train", "gpt", "--text", path, "--out", filepath.Join(dir, "none")},
			{"fitcurve", path, "a*x", "--response", "y", "--start", "a=1"},
			{"eval", linked("config.json")},
			{"eval", linked("weights.safetensors")},
			{"inspect", linked("weights.safetensors")},
			{"sharpness", linked("weights.safetensors")},
			{"landscape", linked("weights.safetensors")},
			{"train", "mnist", "--resume", linked("config.json")},
			{"train", "mnist", "--resume", linked("checkpoint.safetensors", "checkpoint-2.safetensors")},
			{"train", "mnist", "--resume", linked("log.jsonl")},
			{"train", "mnist", "--resume", linked("lock")},
		} {
			if what == "missing" && strings.HasSuffix(args[len(args)-1], "run") || what == "sparse" && args[len(args)-2] == "--resume" {
				continue // links to nothing; a lock of any size is one
			}
			var out, message bytes.Buffer
			done := make(chan int, 1)
			go func() { done <- counted(args, &out, &message) }()
			select {
			case code := <-done:
				if code != 1 && !(code == 2 && args[0] == "inspect") || message.Len() == 0 || strings.ContainsAny(message.String(), "\x1b\x07") {
					t.Errorf("%s: tarn %q: code %d, %q", what, args, code, message.String())
				}
			case <-time.After(3 * time.Minute):
				t.Fatalf("%s: tarn %q hangs", what, args)
			}
		}
	}
}

// counted runs the command and counts it.
func counted(args []string, out, message io.Writer) int {
	code := run(context.Background(), args, out, message)
	count(args, code)
	return code
}

// TestEmptyArguments refuses empty names, which would mean the working directory or a default.
func TestEmptyArguments(t *testing.T) {
	for _, args := range [][]string{
		{"train", "mnist", "--resume", ""}, {"train", "mnist", "--out="}, {"train", "gpt", "--resume="}, {"train", "gpt", "--text", ""},
		{"runs", ""}, {"eval", ""}, {"inspect", ""}, {"generate", ""}, {"predict", "", "x"}, {"predict", "x", ""}, {"sharpness", "x", "--plot", ""}, {"landscape", "x", "--through", ""},
		{"bench", "--profile", "", "linreg"}, {"fit", "", "--target", "x"}, {"fit", "x", "--target", ""}, {"evaluate", "", "x"}, {"serve", ""}, {"check", "x", "--model", ""},
	} {
		if _, message := command(t, exitUsage, args...); !strings.Contains(message, "without a value") {
			t.Errorf("tarn %q: %q", args, message)
		}
	}
	if _, message := command(t, exitUsage, "train", "mnist", "--restart"); !strings.Contains(message, "--restart needs the folder") {
		t.Errorf("--restart alone: %q", message)
	}
}

// full is a writer on which nothing can be written, after some bytes.
type full struct{ left int }

var errFull = errors.New("no space left on device")

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.left {
		return f.left, errFull
	}
	f.left -= len(p)
	return len(p), nil
}

// TestFullOutput closes the output of every command, at once and after some bytes.
func TestFullOutput(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: runs each command")
	}
	dir := t.TempDir()
	mnist, gpt := filepath.Join(dir, "mnist"), filepath.Join(dir, "gpt")
	command(t, 0, with("--quiet", "--epochs", "1", "--out", mnist)...)
	command(t, 0, smallGPT(t, "--quiet", "--out", gpt)...)
	homes, model := flats(t, dir, "flats.csv", 40), filepath.Join(dir, "m.tarn")
	command(t, 0, quickFit(homes, "price", "--out", model)...)
	table := filepath.Join(dir, "table.csv")
	os.WriteFile(table, []byte("x,y\n1,2\n2,4\n3,6.1\n4,8\n"), 0o600)
	for i, args := range [][]string{
		{}, {"--help"}, {"--version"}, {"train", "--help"},
		{"train", "linreg", "--steps", "10"}, {"train", "linreg", "--dry-run"}, {"train", "mnist", "--dry-run", "--hidden", "8", "--examples", "500"}, {"train", "mnist", "--resume", mnist}, {"train", "gpt", "--resume", gpt},
		with("--epochs", "1"), {"runs", dir}, {"runs", dir, "--json"}, {"eval", mnist}, {"eval", gpt}, {"generate", gpt, "--length", "50"}, {"inspect", mnist},
		{"sharpness", mnist, "--examples", "20", "--batch", "20", "--top", "1", "--bottom", "0", "--probes", "0", "--samples", "2", "--products", "4"},
		{"landscape", mnist, "--examples", "20", "--points", "2", "--skip-curvature"},
		{"minimize", "x^2", "--start", "x=1"}, {"grad", "x^2", "--at", "x=1"}, {"fitcurve", table, "a*x", "--response", "y", "--start", "a=1"},
		{"bench", "--list"}, {"bench", "--once", "linreg"},
		quickFit(homes, "price", "--json", "--force", "--out", model), quickFit(homes, "price", "--out", "-"), {"predict", model, homes}, {"predict", model, homes, "--format", "jsonl"}, {"evaluate", model, homes}, {"evaluate", model, homes, "--json"},
		{"search", homes, "--target", "price", "--cv", "2", "--trials", "1", "--quiet", "--force", "--out", filepath.Join(dir, "s.tarn")}, {"check", homes, "--model", model}, {"inspect", model}, {"inspect", model, "--card"},
	} {
		if len(args) > 2 && args[1] == "mnist" && args[2] != "--resume" && args[2] != "--dry-run" {
			args = append(args, "--out", filepath.Join(dir, fmt.Sprint("run", i)))
		}
		for _, left := range []int{0, 10} {
			var message bytes.Buffer
			code := counted(args, &full{left}, &message)
			if code != exitFailure || !strings.Contains(message.String(), errFull.Error()) || strings.Count(message.String(), "\n") != 1 {
				t.Errorf("tarn %q: code %d, %q", args, code, message.String())
			}
			if len(args) > 2 && args[len(args)-2] == "--out" {
				break
			}
		}
	}
}

// TestPrintable shows what a terminal would act on in another form.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"a ü 'b' \"c\"\n\t": "a ü 'b' \"c\"\n\t", "\x1b[31m\r": `\x1b[31m\r`, "\u202e\u009b": `\u202e\u009b`, "\xff�": `\xff�`, "\x00": `\x00`,
	} {
		if got := printable(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
