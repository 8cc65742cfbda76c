package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/watch"
)

// TestDoctor judges a training that goes well, one whose rate is too large, and what is no run.
func TestDoctor(t *testing.T) {
	well, ill := filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "run")
	command(t, 0, with("--quiet", "--out", well)...)
	if out, _ := command(t, 0, "doctor", well); !strings.Contains(out, "nothing seems wrong") || !strings.Contains(out, "looks up to run") {
		t.Errorf("a good training is judged:\n%s", out)
	}
	if out, _ := command(t, 0, "doctor", well, "--json"); out != "" {
		t.Errorf("a good training is judged:\n%s", out)
	}
	if out, _ := command(t, 0, with("--out", ill, "--lr", "5", "--epochs", "6")...); strings.Count(out, "doctor: fault: the learning rate") != 1 {
		t.Errorf("the training tells not once that its rate is too large:\n%s", out)
	}
	out, _ := command(t, 0, "doctor", ill)
	for _, want := range []string{"fault: the learning rate", "evidence: first loss", "layers: ", "1. divide the learning rate by 10"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "bfloat16") {
		t.Errorf("a training in f32 is told of bfloat16:\n%s", out)
	}
	short := filepath.Join(t.TempDir(), "run")
	command(t, 0, with("--quiet", "--out", short, "--precision", "bf16")...)
	if out, _ := command(t, 0, "doctor", short); !strings.Contains(out, "on this machine "+strings.Join(cpu.BF16Choice(), "\n")+"\n") {
		t.Errorf("a training in bf16 is not told what multiplies:\n%s", out)
	}
	out, _ = command(t, 0, "doctor", ill, "--json")
	var v watch.Verdict
	if err := json.Unmarshal([]byte(strings.SplitAfter(out, "\n")[0]), &v); err != nil || v.Rule != "large-rate" || v.Run == 0 || len(v.Remedies) == 0 {
		t.Errorf("--json prints %s (%v)", out, err)
	}
	begun := t.TempDir()
	for _, text := range []string{"", `{"header":{"version":1}}` + "\n"} {
		if err := os.WriteFile(filepath.Join(begun, watch.FileName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, _ := command(t, 0, "doctor", begun); !strings.Contains(out, "no look at the training yet") {
			t.Errorf("records %q are judged:\n%s", text, out)
		}
	}
	if _, err := command(t, exitFailure, "doctor", t.TempDir()); !strings.Contains(err, "has no watch.jsonl") {
		t.Errorf("a folder that is no run: %s", err)
	}
	command(t, exitUsage, "doctor")
}

// TestCheckCommand checks both tasks, and a network of which nothing arrives at the first layer.
func TestCheckCommand(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: looks at three trainings")
	}
	for _, c := range []struct{ args, want string }{
		{"check mnist --hidden 32", "nothing seems wrong"},
		{"check gpt --layers 1", "nothing seems wrong"},
		{"check mnist --hidden 16,16,16,16,16,16,16,16,16,16,16,16,16,16,16,16,16,16,16,16", "fault: gradients vanish"},
	} {
		if out, _ := command(t, 0, strings.Fields(c.args)...); !strings.Contains(out, c.want) {
			t.Errorf("tarn %s prints no %q:\n%s", c.args, c.want, out)
		}
	}
	command(t, exitUsage, "check", "weather")
	command(t, exitUsage, "check", "gpt", "--layers", "0")
}
