package train

// The tests run whole trainings: with and without a folder, interrupted, killed, gone on with.

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	_ "github.com/seed-49005b45/tarn/internal/testgc"
	"github.com/seed-49005b45/tarn/interop/safetensors"
	"github.com/seed-49005b45/tarn/optim"
)

// childFolder names the environment variable that makes the test binary a training in that folder. childTurns names the one that tells it
// after how many turns to wait until it is killed; 0 means never.
const (
	childFolder = "TARN_TRAIN_FOLDER"
	childTurns  = "TARN_TRAIN_TURNS"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		if err := child(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child trains in a folder and prints a line at each turn.
func child(dir string) error {
	f, err := OpenFolder(dir)
	if err != nil {
		return err
	}
	l := loop()
	l.Folder = f
	left, _ := strconv.Atoi(os.Getenv(childTurns))
	for p, err := range l.Run(context.Background()) {
		if err != nil {
			return err
		}
		fmt.Println(p.Epoch, p.Batch)
		if left--; left == 0 {
			time.Sleep(time.Hour)
		}
	}
	return nil
}

// folder is a new folder for a run.
func folder(t *testing.T) *Folder {
	t.Helper()
	f, err := CreateFolder(filepath.Join(t.TempDir(), "run"), map[string]int{"hidden": 8})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// finish runs the loop to its end.
func finish(t *testing.T, l *Loop) {
	t.Helper()
	for _, err := range l.Run(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// sameRun compares what two runs left: all files but config.json, apart from the times in the log.
func sameRun(t *testing.T, what string, got, want *Folder) {
	t.Helper()
	a, _ := os.ReadFile(got.Path(weightsFile))
	b, err := os.ReadFile(want.Path(weightsFile))
	if err != nil || string(a) != string(b) {
		t.Errorf("%s: the final weights differ, %v", what, err)
	}
	var logs [2][]Record
	var checkpoints [2]*safetensors.File
	for i, f := range []*Folder{got, want} {
		if logs[i], err = f.History(); err != nil {
			t.Fatal(err)
		}
		for j := range logs[i] {
			logs[i][j].Rate, logs[i][j].Seconds = 0, 0
		}
		if checkpoints[i], err = safetensors.Load(f.Path(checkpointFile)); err != nil {
			t.Fatal(err)
		}
		text, _ := os.ReadFile(f.Path(logFile))
		if n := strings.Count(string(text), "\n"); n != len(logs[i]) {
			t.Errorf("%s: %d lines for %d epochs", what, n, len(logs[i]))
		}
	}
	if x, y := fmt.Sprint(logs[0]), fmt.Sprint(logs[1]); x != y {
		t.Errorf("%s: the logs differ:\n%s\n%s", what, x, y)
	}
	if len(checkpoints[0].Tensors) != len(checkpoints[1].Tensors) {
		t.Errorf("%s: the checkpoints have %d and %d tensors", what, len(checkpoints[0].Tensors), len(checkpoints[1].Tensors))
	}
	sameWeights(t, what+", checkpoint", checkpoints[0].Tensors, checkpoints[1].Tensors)
}

// TestKill kills trainings with SIGKILL at random moments until one comes to its end, which must be that of a training
// that was left alone, bit for bit.
func TestKill(t *testing.T) {
	whole := loop()
	whole.Folder = folder(t)
	finish(t, whole)
	r := rand.New(rand.NewPCG(1, 2))
	for range 3 {
		killed(t, r, whole)
	}
}

// killed kills a training again and again until it comes to its end, and compares it with the whole one.
func killed(t *testing.T, r *rand.Rand, whole *Loop) {
	t.Helper()
	f := folder(t)
	kills := 0
	for {
		c := exec.Command(os.Args[0])
		turns, most := r.IntN(20), 0
		if kills == 6 {
			turns = math.MaxInt // let it come to its end
		} else {
			most = turns + 4 // not to have come to its end before it is killed, however late that is
		}
		c.Env = append(os.Environ(), childFolder+"="+f.Dir(), fmt.Sprint(childTurns, "=", most))
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		last := ""
		for turns > 0 && lines.Scan() {
			last = lines.Text()
			turns--
		}
		if turns > 0 {
			if err := c.Wait(); err != nil {
				t.Fatalf("a training that was not killed failed: %v: %s", err, last)
			}
			break
		}
		c.Process.Kill()
		c.Wait()
		kills++
	}
	if kills < 3 {
		t.Errorf("only %d kills", kills)
	}
	sameRun(t, fmt.Sprintf("after %d kills", kills), f, whole.Folder)
	if left, _ := filepath.Glob(f.Path(".*.tmp")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestInterrupt cancels a training after each of its first turns, and once while it evaluates, and goes on.
func TestInterrupt(t *testing.T) {
	whole := loop()
	whole.Epochs, whole.Folder = 3, folder(t)
	turns := 0
	for _, err := range whole.Run(context.Background()) {
		if turns++; err != nil {
			t.Fatal(err)
		}
	}
	if turns != 3*(7+1) {
		t.Errorf("%d turns, want 24", turns)
	}
	f := folder(t)
	for i := 0; ; i++ {
		l := loop()
		l.Epochs, l.Folder = 3, f
		ctx, cancel := context.WithCancel(context.Background())
		if i%5 == 4 {
			l.Metrics = append(l.Metrics, &canceller{cancel: cancel, after: 1})
		}
		var last error
		done := 0
		for _, err := range l.Run(ctx) {
			if done++; done == 1+i%4 && i%5 != 4 {
				cancel()
			}
			last = err
		}
		cancel()
		if last == nil {
			break
		}
		if !errors.Is(last, context.Canceled) || !strings.Contains(last.Error(), "checkpoint written to "+f.Dir()) {
			t.Fatalf("interruption %d: %v", i, last)
		}
		if f.has(weightsFile) {
			t.Fatal("final weights of a training that is not finished")
		}
		m := newNet()
		if from, err := f.LoadWeights(m); err != nil || from != checkpointFile {
			t.Fatalf("weights from %q, %v", from, err)
		}
	}
	sameRun(t, "interrupted", f, whole.Folder)
	m := newNet()
	if from, err := f.LoadWeights(m); err != nil || from != weightsFile {
		t.Fatalf("weights from %q, %v", from, err)
	}
	sameWeights(t, "loaded", weightsOf(t, m), weightsOf(t, whole.Model))

	// A finished run that is told to go on for more epochs is the longer run.
	long, longer := loop(), loop()
	long.Epochs, long.Folder = 5, folder(t)
	finish(t, long)
	longer.Epochs, longer.Folder = 5, f
	finish(t, longer)
	sameRun(t, "prolonged", f, long.Folder)
}

// canceller is a metric that measures nothing but cancels the training, after some batches.
type canceller struct {
	cancel func()
	after  int
}

func (c *canceller) Name() string   { return "canceller" }
func (c *canceller) Value() float64 { return 0 }
func (c *canceller) Reset()         {}
func (c *canceller) Add(_, _ *tarn.Tensor) error {
	if c.after--; c.after < 0 {
		c.cancel()
	}
	return nil
}

// TestLearns: the loss falls, with and without a folder to the same weights, and the log says what was measured.
func TestLearns(t *testing.T) {
	bare, logged := loop(), loop()
	finish(t, bare)
	logged.Folder = folder(t)
	finish(t, logged)
	sameWeights(t, "with a folder", weightsOf(t, logged.Model), weightsOf(t, bare.Model))
	h := bare.History()
	if len(h) != 12 || h[11].TrainLoss > h[0].TrainLoss/5 || h[11].Metrics["r2"] < 0.9 {
		t.Errorf("the training does not learn: %+v", h)
	}
	if h[0].LR < 0.049 || h[11].LR > 0.02 || h[11].Step != 12*7 {
		t.Errorf("rates %v and %v, %d runs", h[0].LR, h[11].LR, h[11].Step)
	}
	text, _ := os.ReadFile(logged.Folder.Path(logFile))
	first, _, _ := strings.Cut(string(text), "\n")
	var fields map[string]any
	if err := json.Unmarshal([]byte(first), &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"epoch", "step", "train_loss", "val_loss", "metrics", "lr", "examples_per_second", "seconds"} {
		if fields[name] == nil {
			t.Errorf("the log lacks %q: %s", name, first)
		}
	}
	eval, _ := NewEval(bare.Build)
	loss, err := eval.Measure(context.Background(), bare.Valid, 8, "y")
	if err != nil || loss != h[bare.EarlyStopping.BestEpoch-1].ValLoss {
		t.Errorf("the final model has the loss %v, %v; the best epoch had %v", loss, err, h[bare.EarlyStopping.BestEpoch-1].ValLoss)
	}
}

// TestStopsEarly: with a rate that makes the loss rise, the training ends after the patience and gives the best weights.
func TestStopsEarly(t *testing.T) {
	early := func() *Loop {
		l := loop()
		sgd := optim.NewSGD(0)
		sgd.Rate = optim.Linear{From: 0.05, To: 2, Steps: 40} // first too small, then far too large
		l.Optimizer, l.Epochs, l.EarlyStopping = sgd, 100, &EarlyStopping{Patience: 2}
		return l
	}
	l := early()
	l.Folder = folder(t)
	finish(t, l)
	h, s := l.History(), l.EarlyStopping
	if len(h) == 100 || len(h) != s.BestEpoch+2 || s.Best != h[s.BestEpoch-1].ValLoss {
		t.Fatalf("%d epochs, %+v", len(h), s)
	}
	eval, _ := NewEval(l.Build)
	if loss, err := eval.Measure(context.Background(), l.Valid, 8, "y"); err != nil || loss != s.Best {
		t.Errorf("the final loss is %v, %v; the best was %v", loss, err, s.Best)
	}
	// Going on with it ends at once, with the same.
	again := early()
	again.Folder = l.Folder
	for p, err := range again.Run(context.Background()) {
		t.Fatalf("a turn after the end: %+v, %v", p, err)
	}
	sameWeights(t, "again", weightsOf(t, again.Model), weightsOf(t, l.Model))
	os.Remove(l.Folder.Path(bestFile))
	for _, err := range early().with(l.Folder).Run(context.Background()) {
		if err == nil || !strings.Contains(err.Error(), bestFile) {
			t.Errorf("without %s: %v", bestFile, err)
		}
	}
}

func (l *Loop) with(f *Folder) *Loop { l.Folder = f; return l }

// TestRefusals: each wrong setting is an error of the first turn, and the folder's files stay.
func TestRefusals(t *testing.T) {
	f := folder(t)
	l := loop()
	l.Epochs, l.Folder = 2, f
	finish(t, l)
	before, _ := os.ReadFile(f.Path(checkpointFile))
	for _, c := range []struct {
		name   string
		change func(l *Loop)
		want   string
	}{
		{"epochs", func(l *Loop) { l.Epochs = 0 }, "Epochs is 0"},
		{"batch", func(l *Loop) { l.Batch = -1 }, "Batch is -1"},
		{"train", func(l *Loop) { l.Train = nil }, "training set"},
		{"valid", func(l *Loop) { l.Valid, _ = l.Valid.(*data.Set).Slice(0, 0) }, "validation set"},
		{"early without valid", func(l *Loop) { l.Valid = nil }, "EarlyStopping needs"},
		{"patience", func(l *Loop) { l.EarlyStopping.Patience = 0 }, "Patience 0"},
		{"delta", func(l *Loop) { l.EarlyStopping.MinDelta = math.NaN() }, "MinDelta NaN"},
		{"every", func(l *Loop) { l.CheckpointEvery = -1 }, "CheckpointEvery is -1"},
		{"drop all", func(l *Loop) { l.Batch, l.DropLast = 51, true }, "no full batch"},
		{"optimizer", func(l *Loop) { l.Optimizer = nil }, "optimizer is nil"},
		{"no build", func(l *Loop) { l.Build = nil }, "Build is nil"},
		{"target", func(l *Loop) { l.Target = "label" }, `no field "label"`},
		{"another seed", func(l *Loop) { l.Seed = 4 }, "seed 3"},
		{"another batch", func(l *Loop) { l.Batch = 9 }, "batches of 8"},
		{"another set", func(l *Loop) { l.Train = examples(49, 1) }, "50 examples"},
		{"another optimizer", func(l *Loop) { l.Optimizer = optim.NewSGD(0.1) }, "was the optimizer another"},
		{"another model", func(l *Loop) {
			l.Model = &struct {
				Old any
				W   *tarn.Param
			}{l.Model, tarn.NewParam(tarn.F32, nil, 1)}
		}, "do not fit the model"},
	} {
		l := loop().with(f)
		l.Epochs = 2
		c.change(l)
		var errs []error
		for _, err := range l.Run(context.Background()) {
			if err != nil {
				errs = append(errs, err)
			}
		}
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), c.want) {
			t.Errorf("%s: %v, want one error with %q", c.name, errs, c.want)
		}
	}
	if after, _ := os.ReadFile(f.Path(checkpointFile)); !slices.Equal(before, after) {
		t.Error("a refused training changed the checkpoint")
	}
}

// TestDivergence: a loss that is not finite is an error that says when, and the folder keeps what was good.
func TestDivergence(t *testing.T) {
	l := loop().with(folder(t))
	l.Optimizer = optim.NewSGD(1e30)
	var last error
	for _, err := range l.Run(context.Background()) {
		last = err
	}
	if last == nil || !strings.Contains(last.Error(), "diverged") || !strings.Contains(last.Error(), "epoch 1, batch ") {
		t.Errorf("error %v", last)
	}
}

// TestBroken feeds the folder's readers files that are not what they should be.
func TestBroken(t *testing.T) {
	f := folder(t)
	write := func(name, text string) {
		if err := os.WriteFile(f.Path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(want string) {
		t.Helper()
		var last error
		for _, err := range loop().with(f).Run(context.Background()) {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), want) || !strings.Contains(last.Error(), f.Dir()) {
			t.Errorf("error %v, want one with %q", last, want)
		}
	}
	write(checkpointFile, "garbage")
	run("not a safetensors file")
	for _, c := range []struct {
		metadata map[string]string
		want     string
	}{
		{nil, "not a checkpoint"},
		{map[string]string{checkpointKey: "{"}, "unexpected end"},
		{map[string]string{checkpointKey: `{"form":7}`}, "form 7"},
		{map[string]string{checkpointKey: `{"form":1}`}, "do not fit the model"},
	} {
		if err := safetensors.Save(f.Path(checkpointFile), nil, c.metadata); err != nil {
			t.Fatal(err)
		}
		run(c.want)
	}
	l := loop()
	step, _ := NewStepOf(l.Build, l.Model, l.Optimizer)
	if err := step.Prepare(8); err != nil {
		t.Fatal(err)
	}
	states, err := l.Optimizer.States()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.writeCheckpoint(state{Seed: 3, Batch: 8, Examples: 50, Position: data.Position{Batch: 99}}, step.params, states, 1); err != nil {
		t.Fatal(err)
	}
	run("cannot begin at")

	if _, err := OpenFolder(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not the directory of a run") {
		t.Errorf("a directory that is no run: %v", err)
	}
	if _, err := CreateFolder(f.Dir(), 1); err == nil || !strings.Contains(err.Error(), "holds a run already") {
		t.Errorf("a run over a run: %v", err)
	}
	if _, err := CreateFolder(f.Path(configFile), 1); err == nil {
		t.Error("a run in a file")
	}
	var config struct{ Other int }
	if err := f.Options(&config); err == nil || !strings.Contains(err.Error(), "hidden") {
		t.Errorf("an unknown field of the configuration: %v", err)
	}
	var good struct{ Hidden int }
	if err := f.Options(&good); err != nil || good.Hidden != 8 {
		t.Errorf("configuration %+v, %v", good, err)
	}
	if _, err := folder(t).LoadWeights(newNet()); err == nil || !strings.Contains(err.Error(), "no weights yet") {
		t.Errorf("weights of a run without any: %v", err)
	}
}

func TestLog(t *testing.T) {
	f := folder(t)
	records := []Record{
		{Epoch: 1, Step: 7, TrainLoss: 0.5, ValLoss: math.NaN(), LR: 0.1, Rate: 100, Seconds: 2},
		{Epoch: 2, Step: 14, TrainLoss: 0.25, ValLoss: 0.5, Metrics: map[string]float64{"mae": 0.1, "r2": math.Inf(-1)}},
	}
	for _, r := range records {
		if err := f.appendLog(r); err != nil {
			t.Fatal(err)
		}
	}
	text, _ := os.ReadFile(f.Path(logFile))
	want := `{"epoch":1,"step":7,"train_loss":0.5,"val_loss":null,"lr":0.1,"examples_per_second":100,"seconds":2}
{"epoch":2,"step":14,"train_loss":0.25,"val_loss":0.5,"metrics":{"mae":0.1,"r2":null},"lr":0,"examples_per_second":0,"seconds":0}
`
	if string(text) != want {
		t.Errorf("log\n%s\nwant\n%s", text, want)
	}
	w, _ := os.OpenFile(f.Path(logFile), os.O_WRONLY|os.O_APPEND, 0)
	w.WriteString(`{"epoch":3,"step":21,"train_l`)
	w.Close()
	got, err := f.History()
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	if !math.IsNaN(got[0].ValLoss) || got[0].Rate != 100 || !math.IsNaN(got[1].Metrics["r2"]) || got[1].Metrics["mae"] != 0.1 {
		t.Errorf("%+v", got)
	}
}
