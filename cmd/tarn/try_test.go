package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/doctor/remedy"
)

// TestTry tries remedies on a run whose rate is too large, and builds the program that it writes.
func TestTry(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: tries remedies for seconds")
	}
	ill := filepath.Join(t.TempDir(), "run")
	command(t, 0, "train", "mnist", "--quiet", "--examples", "600", "--hidden", "8", "--epochs", "3", "--batch", "30", "--lr", "3", "--out", ill)
	out, _ := command(t, 0, "doctor", ill, "--try", "--updates", "40")
	for _, want := range []string{"trying ", "none: as it is", "rate / 10", "do not apply: ", "best: ", "a program that trains so"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	program := filepath.Join(ill, remedyFile)
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "// To use it") || !strings.Contains(string(text), "model := nn.NewSequential(") {
		t.Errorf("the program is\n%s", text)
	}
	build(t, program)

	other := copyRun(t, ill)
	if err := os.WriteFile(filepath.Join(other, "config.json"), []byte(`{"task": "gpt"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, exitFailure, "doctor", other, "--try"); !strings.Contains(err, "package doctor/remedy") {
		t.Errorf("a run of another task: %s", err)
	}
	for _, args := range []string{"--updates 40", "--try --json", "--try --updates 3"} {
		command(t, exitUsage, append([]string{"doctor", ill}, strings.Fields(args)...)...)
	}
}

// build compiles a program. Its packages are found from the module's root.
func build(t *testing.T, file string) {
	t.Helper()
	if testing.Short() {
		return
	}
	c := exec.Command("go", "build", "-o", os.DevNull, file)
	c.Dir = filepath.Join("..", "..")
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%s does not build: %v\n%s", file, err, out)
	}
}

// TestOptimizerCode builds the expressions of all optimizers, and the lines of all remedies.
func TestOptimizerCode(t *testing.T) {
	var b strings.Builder
	b.WriteString("package main\n\nimport \"github.com/seed-49005b45/tarn/optim\"\n\nfunc main() {\n\tconst rate = 1.0\n")
	for _, c := range contenders {
		expression, lines := c.code()
		fmt.Fprintf(&b, "\t{\n\t\toptimizer := %s\n\t\t%s\n\t\toptimizer.Rate = optim.Constant(rate)\n\t}\n", expression, strings.Join(lines, "\n\t\t"))
	}
	b.WriteString("}\n")
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	build(t, file)
	for _, name := range []string{"rate / 10", "rate x 10", "rate of the range test", "batches x 8"} {
		if remedy.Find(name) == nil {
			t.Errorf("there is no remedy %s, which the command line can follow", name)
		}
	}
}

// TestPrograms builds the programs of remedies that change different parts of it.
func TestPrograms(t *testing.T) {
	if os.Getenv("TARN_LONG") == "" {
		t.Skip("set TARN_LONG=1 to build the programs of several remedies")
	}
	run := filepath.Join(t.TempDir(), "run")
	command(t, 0, "train", "mnist", "--quiet", "--examples", "300", "--hidden", "8,8,8", "--epochs", "3", "--batch", "30", "--optimizer", "muon", "--out", run)
	c := &doctorCommand{Dir: run, Updates: 20}
	training, settings, one, err := c.training()
	if err != nil {
		t.Fatal(err)
	}
	var some []*remedy.Remedy
	for _, name := range []string{"ELU", "He initialization", "LSUV initialization", "batch normalization", "residual connections", "Adam", "normalized inputs", "early stopping", "warm-up", "rate / 10", "clipping", "dropout"} {
		some = append(some, remedy.Find(name))
	}
	report, err := remedy.Try(t.Context(), training, some)
	if err != nil {
		t.Fatal(err)
	}
	for i := range report.Trials {
		x := &report.Trials[i]
		if x.Err != nil {
			t.Errorf("%s: %v", x.Remedy.Name, x.Err)
			continue
		}
		text, err := program(x, settings, one, report)
		if err != nil {
			t.Errorf("%s: %v", x.Remedy.Name, err)
			continue
		}
		file := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		build(t, file)
	}
}
