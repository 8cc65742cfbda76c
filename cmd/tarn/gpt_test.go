package main

import (
	"encoding/json"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// tinyGPT are the flags of a very short training, on a text of one sentence.
func tinyGPT(t *testing.T, flags ...string) []string {
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte(strings.Repeat("light moves in right lines. ", 60)), 0o600); err != nil {
		t.Fatal(err)
	}
	return append([]string{"train", "gpt", "--text", file, "--layers", "1", "--heads", "2", "--width", "16", "--context", "16", "--batch", "16", "--epochs", "6", "--lr", "0.02"}, flags...)
}

var validationLoss = regexp.MustCompile(`(?m)^validation loss (\d+\.\d{4})\n\z`)

// TestGPT trains, resumes for some epochs more, and writes text with the model.
func TestGPT(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	out, _ := command(t, 0, tinyGPT(t, "--out", dir)...)
	for _, want := range []string{"gpt with 1 layers, 2 heads, 16 wide", "epoch 6/6  loss ", "tarn generate " + dir} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if !validationLoss.MatchString(out) {
		t.Fatalf("the last line is not the validation loss:\n%s", out)
	}
	again, _ := command(t, 0, "train", "gpt", "--resume", dir, "--epochs", "12", "--quiet")
	if m := validationLoss.FindStringSubmatch(again); m == nil || m[1] > "0.3" {
		t.Errorf("after 12 epochs: %s", again)
	}
	for _, name := range []string{"config.json", "log.jsonl", "curve.png", "weights.safetensors"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	out, _ = command(t, 0, "generate", dir, "--prompt", "light m", "--length", "60", "--temperature", "0")
	if !strings.HasPrefix(out, "light moves in right ") || len(out) != 7+60+1 {
		t.Errorf("it writes %q", out)
	}
	one, _ := command(t, 0, "generate", dir, "--length", "40", "--prompt", "l", "--temperature", "3", "--seed", "5")
	same, _ := command(t, 0, "generate", dir, "--length", "40", "--prompt", "l", "--temperature", "3", "--seed", "5", "--threads", "1")
	other, _ := command(t, 0, "generate", dir, "--length", "40", "--prompt", "l", "--temperature", "3", "--seed", "6")
	if one != same || one == other {
		t.Errorf("seed 5 writes %q and %q, seed 6 %q", one, same, other)
	}
	if _, err := command(t, 2, "generate", dir, "--prompt", "Light"); !strings.Contains(err, "the character 'L' at byte 0 is not one of the") {
		t.Errorf("an unknown character: %s", err)
	}
	if _, err := command(t, 2, "predict", dir, "digit.png"); !strings.Contains(err, "tarn generate "+dir) {
		t.Errorf("predict of a gpt: %s", err)
	}
	served := startServe(t, "newton="+dir, "--addr", "localhost:0")
	if !strings.HasSuffix(served.address, "/models/newton/generate") {
		t.Fatalf("it is served at %s", served.address)
	}
	status, answer := askServed(t, http.DefaultClient, served.address, `{"prompt":"l","length":40,"temperature":3,"seed":5,"stream":false}`)
	var text struct{ Text string }
	if err := json.Unmarshal([]byte(answer), &text); err != nil || status != 200 || "l"+text.Text+"\n" != one {
		t.Errorf("served it writes %d %s, want %q", status, answer, one)
	}
	if code := served.stop(); code != 0 {
		t.Errorf("serve ends with the code %d", code)
	}
	for _, matrix := range []string{"Hessian", "Gauss-Newton matrix"} {
		args := []string{"sharpness", dir, "--examples", "6", "--batch", "3", "--samples", "3", "--probes", "1", "--steps", "6", "--top", "1"}
		if matrix != "Hessian" {
			args = append(args, "--gauss-newton", "--bottom", "0")
		}
		out, _ := command(t, 0, args...)
		for _, want := range []string{"gpt with 1 layers, 2 heads, 16 wide, weights of weights.safetensors\n" + matrix + " of the loss of 6 examples", "largest 1", "trace", "of the eigenvalues lie within"} {
			if !strings.Contains(out, want) {
				t.Errorf("sharpness: no %q in\n%s", want, out)
			}
		}
	}
}

var measured = regexp.MustCompile(`^gpt with 1 layers, 2 heads, 16 wide, weights of (\S+)\nheld-out characters (\d+)\nvalidation loss (\d+\.\d{4}) nats a character\nvalidation perplexity (\d+\.\d{4})\n$`)

// TestEvalGPT measures a trained model on its text: the loss is that which training ended with.
func TestEvalGPT(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	flags := tinyGPT(t, "--out", dir, "--dropout", "0.1", "--quiet")
	out, _ := command(t, 0, flags...)
	trained := validationLoss.FindStringSubmatch(out)
	out, _ = command(t, 0, "eval", dir)
	m := measured.FindStringSubmatch(out)
	if m == nil || trained == nil {
		t.Fatalf("eval prints\n%s", out)
	}
	// A twentieth of 60 sentences of 28 characters, in whole pieces of 16 with the character after them.
	if m[1] != "weights.safetensors" || m[2] != "80" || m[3] != trained[1] {
		t.Errorf("training ended with the loss %s, eval prints\n%s", trained[1], out)
	}
	loss, _ := strconv.ParseFloat(m[3], 64)
	if perplexity, _ := strconv.ParseFloat(m[4], 64); math.Abs(math.Log(perplexity)-loss) > 1e-3 {
		t.Errorf("the loss %s and the perplexity %s do not fit", m[3], m[4])
	}
	file := flags[3]
	if err := os.WriteFile(file, []byte("Light."), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, 1, "eval", dir); !strings.Contains(err, file+", which the run was trained on: ") {
		t.Errorf("another text: %s", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, 1, "eval", dir); !strings.Contains(err, "the text that the run was trained on: ") {
		t.Errorf("no text: %s", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"task": "chess"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"eval", dir}, {"predict", dir, "x"}, {"generate", dir}, {"train", "gpt", "--resume", dir}, {"train", "mnist", "--resume", dir}} {
		if _, err := command(t, 1, args...); !strings.Contains(err, `of the task "chess"`) {
			t.Errorf("%s of another task: %s", args[0], err)
		}
	}
}

func TestGPTMistakes(t *testing.T) {
	dir := t.TempDir()
	short, bad := filepath.Join(dir, "short"), filepath.Join(dir, "bad")
	os.WriteFile(short, []byte("hello"), 0o600)
	os.WriteFile(bad, []byte(strings.Repeat("\xff", 5000)), 0o600)
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"train gpt --heads 3", 2, "--heads is 3 and should divide the width 128"},
		{"train gpt --context 0", 2, "--context is 0"},
		{"train gpt --dropout 1", 2, "--dropout is 1"},
		{"train gpt --layers 0", 2, "--layers is 0"},
		{"train gpt --lr nan", 2, "--lr is NaN"},
		{"train gpt --batch 0", 2, "--batch is 0"},
		{"train gpt --out a --resume b", 2, "exclude each other"},
		{"train gpt --resume b --width 64", 2, "--width cannot be set with --resume"},
		{"train gpt --resume " + dir, 1, "not the directory of a run"},
		{"train gpt --text " + dir + "/none", 1, "none"},
		{"train gpt --text " + short, 1, "too short for a --context of 64"},
		{"train gpt --text " + bad, 1, "not UTF-8"},
		{"generate", 2, "run"},
		{"generate " + dir, 1, "not the directory of a run"},
		{"generate x --length 0", 2, "--length is 0"},
		{"generate x --temperature=-1", 2, "--temperature is -1"},
		{"generate x --top-k=-1", 2, "--top-k is -1"},
	} {
		if _, err := command(t, c.code, strings.Fields(c.args)...); !strings.HasPrefix(err, "tarn: ") || !strings.Contains(err, c.want) {
			t.Errorf("tarn %s: prints %q, want %q", c.args, err, c.want)
		}
	}
	if _, err := os.Stat("runs"); err == nil {
		t.Error("a mistake leaves a folder behind")
	}
}
