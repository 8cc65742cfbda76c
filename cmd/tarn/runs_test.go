package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/train"
)

// The tests list runs that are made by hand: finished, stopped, running, damaged.

// handmade writes the files of a run.
func handmade(t *testing.T, dir string, config map[string]any, files map[string]string) *train.Folder {
	t.Helper()
	folder, err := train.CreateFolder(dir, config)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := folder.Write(name, func(w io.Writer) error { _, err := io.WriteString(w, text); return err }); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestRuns(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	line := func(epoch, train, val, more string) string {
		return `{"epoch":` + epoch + `,"step":1,"train_loss":` + train + `,"val_loss":` + val + more + `,"lr":0.1,"examples_per_second":1,"seconds":1.5}` + "\n"
	}
	handmade(t, "runs/a-2", map[string]any{"lr": 0.1, "epochs": 3, "net": map[string]any{"width": 8, "kind": "x\x1b[31m"}, "hidden": []int{4, 2}}, map[string]string{
		"weights.safetensors": "", "log.jsonl": line("1", "0.9", "0.7", `,"metrics":{"accuracy":0.5}`) + line("2", "0.5", "0.4", `,"metrics":{"accuracy":0.75}`) + line("3", "0.4", "0.6", `,"metrics":{"accuracy":0.9}`)})
	handmade(t, "runs/a-10", map[string]any{"lr": 0.02, "epochs": 3, "net": map[string]any{"width": 8}}, map[string]string{"log.jsonl": line("1", "0.25", "null", "")})
	running := handmade(t, "runs/deep/b", map[string]any{"lr": 0.3, "epochs": 5, "net": map[string]any{"width": 8}, "sgd": true}, nil)
	if err := running.Lock(); err != nil {
		t.Fatal(err)
	}
	defer running.Unlock()
	handmade(t, "runs/broken", map[string]any{}, map[string]string{"log.jsonl": "", "config.json": "{"})
	os.MkdirAll("runs/.hidden/c", 0o700)
	os.MkdirAll("runs/none", 0o700)
	os.WriteFile("runs/none/config.json", []byte("{}"), 0o600)
	os.Symlink(dir, "runs/loop")

	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, `
run     state     epoch  best_epoch  train_loss  val_loss  accuracy  time  hidden  lr    net.kind      sgd
a-2     finished  3/3    2           0.5         0.4       0.75      4.5s  4 2     0.1   x\x1b[31m     -
a-10    stopped   1/3    1           0.25        -         -         1.5s  -       0.02  -             -
deep/b  running   0/5    -           -           -         -         0s    -       0.3   -             true
all: net.width 8
`},
		{[]string{"--sort", "lr", "--where", "net.width>=8, lr < 0.2"}, `
run   state     epoch  best_epoch  train_loss  val_loss  accuracy  time  hidden  lr    net.kind
a-10  stopped   1/3    1           0.25        -         -         1.5s  -       0.02  -
a-2   finished  3/3    2           0.5         0.4       0.75      4.5s  4 2     0.1   x\x1b[31m
all: epochs 3, net.width 8
`},
		{[]string{"--sort=-val_loss", "--where", "state!=running,run!=a-10"}, `
run  state     epoch  best_epoch  train_loss  val_loss  accuracy  time
a-2  finished  3/3    2           0.5         0.4       0.75      4.5s
settings: epochs 3, hidden 4 2, lr 0.1, net.kind x\x1b[31m, net.width 8
`},
		{[]string{"--sort=-time", "--where", "state==stopped,time>1"}, `
run   state    epoch  best_epoch  train_loss  val_loss  time
a-10  stopped  1/3    1           0.25        -         1.5s
settings: epochs 3, lr 0.02, net.width 8
`},
		{[]string{"--where", "lr=7"}, "\nno run is like that\n"},
	} {
		out, message := command(t, 0, append([]string{"runs"}, c.args...)...)
		if strings.Join(strings.Fields(out), " ") != strings.Join(strings.Fields(c.want), " ") {
			t.Errorf("tarn runs %q prints\n%s\nwant%s", c.args, out, c.want)
		}
		if !strings.Contains(message, "broken") || strings.Contains(message, "none") || strings.Contains(message, "loop") || strings.Count(message, "\n") != 1 {
			t.Errorf("tarn runs %q notes %q", c.args, message)
		}
	}

	out, _ := command(t, 0, "runs", "--json", "--where", "run=a-2")
	var r listedRun
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Run != "a-2" || r.State != train.Finished || r.BestEpoch != 2 || *r.ValLoss != 0.4 || r.Metrics["accuracy"] != 0.75 ||
		r.Seconds != 4.5 || r.Settings["lr"] != 0.1 || strings.Count(out, "\n") != 1 {
		t.Errorf("as JSON %s, %v", out, err)
	}
	if out, _ := command(t, 0, "runs", filepath.Join("runs", "a-10")); !strings.HasPrefix(strings.Split(out, "\n")[1], "a-10  stopped") {
		t.Errorf("a run itself: %s", out)
	}
	for message, args := range map[string][]string{
		"there are no runs below": {"runs", "runs/none"}, "there is no folder": {"runs", "nowhere"}, "is not a folder": {"runs", "runs/none/config.json"},
	} {
		if _, got := command(t, 1, args...); !strings.Contains(got, message) {
			t.Errorf("tarn %q: %q, want %q", args, got, message)
		}
	}
	for message, args := range map[string][]string{
		`--sort names the column "speed", and the runs have accuracy, `: {"runs", "--sort", "speed"}, `--where names the column "speed"`: {"runs", "--where", "speed>1"},
		"--sort is -": {"runs", "--sort=-"}, "is no condition such as": {"runs", "--where", "lr"}, `"lr=>3" is no condition`: {"runs", "--where", "lr=>3"},
		`"lr<>3" is no condition`: {"runs", "--where", "lr<>3"}, `"state<finished" compares with "finished", which is not a number`: {"runs", "--where", "state<finished"},
	} {
		if _, got := command(t, exitUsage, args...); !strings.Contains(got, message) {
			t.Errorf("tarn %q: %q, want %q", args, got, message)
		}
	}
}
