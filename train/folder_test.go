package train

// The tests take files away from runs, break them, and let two train in one folder.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/interop/safetensors"
)

// short is a training of 3 epochs in a folder.
func short(f *Folder) *Loop {
	l := loop().with(f)
	l.Epochs = 3
	return l
}

// failure runs the loop and returns its error.
func failure(l *Loop) (last error) {
	for _, err := range l.Run(context.Background()) {
		last = err
	}
	return last
}

// stopped is the folder of a training that was interrupted in its third epoch.
func stopped(t *testing.T) *Folder {
	t.Helper()
	f := folder(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	turns := 0
	for _, err := range short(f).Run(ctx) {
		if turns++; turns == 2*8+4 {
			cancel()
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	return f
}

// reopened is the folder as another process opens it, and what is then reported.
func reopened(t *testing.T, f *Folder) (*Folder, *bytes.Buffer) {
	t.Helper()
	again, err := OpenFolder(f.Dir())
	if err != nil {
		t.Fatal(err)
	}
	var report bytes.Buffer
	again.ErrorLog = log.New(&report, "", 0)
	return again, &report
}

func edit(t *testing.T, f *Folder, name string, change func(text []byte) []byte) {
	t.Helper()
	text, err := os.ReadFile(f.Path(name))
	if err == nil {
		err = os.WriteFile(f.Path(name), change(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// flipped changes the last byte, which is a tensor's.
func flipped(text []byte) []byte {
	text[len(text)-1] ^= 1
	return text
}

// TestLost takes files away from an interrupted and from a finished run, or breaks them. The training then says what is missing and
// ends as it would have, or refuses and leaves the files as they are.
func TestLost(t *testing.T) {
	whole := short(folder(t))
	finish(t, whole)
	gone := func(names ...string) func(t *testing.T, f *Folder) {
		return func(t *testing.T, f *Folder) {
			for _, name := range names {
				if err := os.Remove(f.Path(name)); err != nil && !(name == weightsFile && errors.Is(err, os.ErrNotExist)) {
					t.Fatal(err)
				}
			}
		}
	}
	damaged := func(names ...string) func(t *testing.T, f *Folder) {
		return func(t *testing.T, f *Folder) {
			for _, name := range names {
				edit(t, f, name, flipped)
			}
		}
	}
	second := checkpointName(1)
	for _, c := range []struct {
		name    string
		damage  func(t *testing.T, f *Folder)
		report  string // what is reported by a training that goes on
		refusal string
	}{
		{"nothing", gone(), "", ""},
		{"the log", gone(logFile), "has no lines for the epochs 1", ""},
		{"the newest checkpoint", gone(checkpointFile), "has no checkpoint.safetensors: resuming from checkpoint-2.safetensors", ""},
		{"the newest checkpoint, damaged", damaged(checkpointFile), "is damaged, or another program has changed it", ""},
		{"the checkpoint before", gone(second), "", ""},
		{"all checkpoints", gone(checkpointFile, second), "", "has no checkpoint.safetensors to resume from, but "},
		{"all but the logs", gone(checkpointFile, second, bestFile, weightsFile), "", "but log.jsonl, watch.jsonl: put it back, or start over"},
		{"all checkpoints, damaged", damaged(checkpointFile, second), "resuming from the checkpoint before it", second + ": tensor "},
		{"the best weights", gone(bestFile), "", bestFile},
		{"the best weights, damaged", damaged(bestFile), "", "damaged"},
	} {
		for what, make := range map[string]func(t *testing.T) *Folder{"interrupted": stopped, "finished": func(t *testing.T) *Folder {
			f := folder(t)
			finish(t, short(f))
			return f
		}} {
			f := make(t)
			c.damage(t, f)
			before := listing(t, f.Dir())
			again, report := reopened(t, f)
			err := failure(short(again))
			if !strings.Contains(report.String(), c.report) || c.report == "" && report.Len() > 0 {
				t.Errorf("%s, %s: reported is %q, want %q", what, c.name, report, c.report)
			}
			if c.refusal == "" {
				if err != nil {
					t.Errorf("%s, %s: %v", what, c.name, err)
				} else if c.name != "the log" {
					sameRun(t, what+", "+c.name, f, whole.Folder)
				}
				continue
			}
			if err == nil || !strings.Contains(err.Error(), c.refusal) {
				t.Errorf("%s, %s: the error is %v, want %q", what, c.name, err, c.refusal)
			}
			if after := listing(t, f.Dir()); !maps.Equal(before, after) {
				t.Errorf("%s, %s: a refused training changes the folder from %v to %v", what, c.name, before, after)
			}
			if again, err = RestartFolder(f.Dir(), map[string]int{"hidden": 8}); err != nil {
				t.Fatal(err)
			}
			finish(t, short(again))
			sameRun(t, what+", "+c.name+", restarted", f, whole.Folder)
		}
	}
	f := stopped(t)
	os.Remove(f.Path(configFile))
	for what, err := range map[string]error{"opened": errorOf(OpenFolder(f.Dir())), "created": errorOf(CreateFolder(f.Dir(), 1))} {
		if err == nil || !strings.Contains(err.Error(), "no config.json") || !strings.Contains(err.Error(), "best.safetensors, log.jsonl, watch.jsonl, checkpoint.safetensors, checkpoint-2.safetensors") {
			t.Errorf("%s without a configuration: %v", what, err)
		}
	}
}

func errorOf(_ *Folder, err error) error { return err }

// listing returns the contents of the files in a directory, by name.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = string(text)
	}
	return files
}

// TestBrokenLog breaks the log of a run of 2 epochs that goes on for a third.
func TestBrokenLog(t *testing.T) {
	two := folder(t)
	l := short(two)
	l.Epochs = 2
	finish(t, l)
	text, _ := os.ReadFile(two.Path(logFile))
	lines := strings.SplitAfter(strings.TrimSpace(string(text)), "\n")
	first, last := strings.TrimSpace(lines[0]), lines[1]
	third := strings.Replace(last, `"epoch":2`, `"epoch":3`, 1)
	for _, c := range []struct {
		name, log, want string // want is the log of the two epochs as the training leaves it
		records         string
		report          string
		broken          string // what a reader is told
	}{
		{"as it was", first + "\n" + last + "\n", first + "\n" + last + "\n", "1 2 3", "", ""},
		{"no newline at the end", first + "\n" + last, first + "\n" + last + "\n", "1 2 3", "", ""},
		{"an epoch that is not finished", first + "\n" + last + "\n" + third + "\n", first + "\n" + last + "\n", "1 2 3", "", ""},
		{"part of that", first + "\n" + last + "\n" + third[:20], first + "\n" + last + "\n", "1 2 3", "", ""},
		{"the last line cut", first + "\n" + last[:30], first + "\n" + last + "\n", "1 2 3", "", ""},
		{"the last line broken", first + "\nx" + last + "\n", first + "\nx" + last + "\n" + last + "\n", "1 2 3", "stay as they are: 2", "cannot be read: 2"},
		{"the first line broken", "x" + first + "\n" + last + "\n", "x" + first + "\n" + last + "\n", "2 3", "stay as they are: 1", "cannot be read: 1"},
		{"all zeros", string(make([]byte, 99)), string(make([]byte, 99)) + "\n" + last + "\n", "2 3", "stay as they are: 1", ""},
		{"another line", first + "\nnote\n\n" + last + "\n", first + "\nnote\n\n" + last + "\n", "1 2 3", "stay as they are: 2 to 3", "cannot be read: 2 to 3"},
		{"the last twice", first + "\n" + last + "\n" + last + "\n", first + "\n" + last + "\n" + last + "\n", "1 2 3", "stay as they are: 3", "cannot be read: 3"},
		{"a field twice", first + "\n" + `{"epoch":1,` + last[1:] + "\n", first + "\n" + `{"epoch":1,` + last[1:] + "\n" + last + "\n", "1 2 3", "stay as they are: 2", "cannot be read: 2"},
		{"another loss", first + "\n" + strings.Replace(last, `"step":14`, `"step":15`, 1) + "\n", first + "\n" + last + "\n", "1 2 3", "line 2 is not what the checkpoint knows of epoch 2", ""},
		{"no log", "", last + "\n", "2 3", "no lines for the epochs 1\n", ""},
	} {
		f := folder(t)
		for _, name := range []string{checkpointFile, checkpointName(1), bestFile, weightsFile} {
			text, err := os.ReadFile(two.Path(name))
			if err == nil {
				err = os.WriteFile(f.Path(name), text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(f.Path(logFile), []byte(c.log), 0o600); err != nil {
			t.Fatal(err)
		}
		again, report := reopened(t, f)
		_, err := again.History()
		if (err == nil) != (c.broken == "") || err != nil && !strings.Contains(err.Error(), c.broken) {
			t.Errorf("%s: a reader is told %v, want %q", c.name, err, c.broken)
		}
		l := short(again)
		finish(t, l)
		text, _ := os.ReadFile(f.Path(logFile))
		rest, ok := strings.CutPrefix(string(text), c.want)
		if !ok || !strings.HasPrefix(rest, `{"epoch":3,`) || strings.Count(rest, "\n") != 1 {
			t.Errorf("%s: the log is\n%q\nwant\n%q\nand a line", c.name, text, c.want)
		}
		records := ""
		for _, r := range l.History() {
			records += fmt.Sprint(r.Epoch, " ")
		}
		if strings.TrimSpace(records) != c.records {
			t.Errorf("%s: the records are %s, want %s", c.name, records, c.records)
		}
		if !strings.Contains(report.String(), c.report) || c.report == "" && report.Len() > 0 {
			t.Errorf("%s: reported is %q, want %q", c.name, report, c.report)
		}
	}
}

// TestLocked trains in a folder twice at the same time, which is refused, and reads it meanwhile, which changes nothing.
func TestLocked(t *testing.T) {
	f := folder(t)
	turns := 0
	for _, err := range short(f).Run(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if turns++; turns != 10 {
			continue
		}
		before := listing(t, f.Dir())
		again, _ := reopened(t, f)
		var held *file.Held
		err := failure(short(again))
		if !errors.As(err, &held) || held.Holder.Process != os.Getpid() || !strings.Contains(err.Error(), f.Dir()) {
			t.Errorf("a second training: %v", err)
		}
		if _, err := RestartFolder(f.Dir(), 1); !errors.As(err, &held) {
			t.Errorf("a restart: %v", err)
		}
		if from, err := again.LoadWeights(newNet()); from != checkpointFile || err != nil {
			t.Errorf("weights from %q, %v", from, err)
		}
		if h, err := again.History(); len(h) != 1 || err != nil {
			t.Errorf("history %v, %v", h, err)
		}
		var options map[string]int
		if err := again.Options(&options); err != nil {
			t.Error(err)
		}
		if after := listing(t, f.Dir()); !maps.Equal(before, after) {
			t.Errorf("readers change the folder from %v to %v", before, after)
		}
	}
	if f.has(lockFile) {
		t.Error("the lock is still there")
	}
	if err := errors.Join(f.Lock(), f.Lock(), f.Unlock()); err != nil || !f.has(lockFile) {
		t.Errorf("locked twice and unlocked once: %v", err)
	}
	if err := errors.Join(f.Unlock(), f.Unlock()); err != nil || f.has(lockFile) {
		t.Errorf("unlocked: %v", err)
	}
}

// TestKeepCheckpoints counts the checkpoints, which are there with the newest first.
func TestKeepCheckpoints(t *testing.T) {
	f := folder(t)
	for i, keep := range []int{3, 2, 4, 1} {
		l := short(f)
		l.KeepCheckpoints, l.Epochs = keep, l.Epochs+i
		finish(t, l)
		names := f.checkpoints()
		if len(names) != keep {
			t.Errorf("%d are kept, want %d: %v", len(names), keep, names)
		}
		runs := int64(math.MaxInt64)
		for _, name := range names {
			_, s, err := f.loadCheckpoint(name)
			if err != nil || s.Runs > runs {
				t.Errorf("%s is of run %d, the one after it of %d, %v", name, s.Runs, runs, err)
			}
			runs = s.Runs
		}
	}
}

// TestStrict feeds Options texts that are not what SetOptions writes.
func TestStrict(t *testing.T) {
	type options struct {
		Rate   float64 `json:"rate"`
		Hidden []int   `json:"hidden"`
		Inner  struct {
			Seed uint64 `json:"seed"`
		} `json:"inner"`
	}
	want := options{Rate: 0.001, Hidden: []int{512, 64}}
	want.Inner.Seed = 17
	f := folder(t)
	if err := f.SetOptions(want); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(f.Path(configFile))
	if err != nil {
		t.Fatal(err)
	}
	read := func(text string) (options, error) {
		var got options
		if err := os.WriteFile(f.Path(configFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := f.Options(&got)
		return got, err
	}
	for _, c := range []struct{ name, text, want string }{
		{"written", string(good), ""},
		{"in other spaces", strings.ReplaceAll(string(good), "\n", "\n\t "), ""},
		{"by hand", `{"rate": 0.001, "hidden": [512, 64], "inner": {"seed": 17}}`, ""},
		{"another number", strings.Replace(string(good), "17", "18", 1), "checksum"},
		{"another checksum", strings.Replace(string(good), "crc32c ", "crc32c 0", 1), "checksum"},
		{"an unknown field", `{"rate": 0.001, "rat": 1}`, `unknown field "rat"`},
		{"a doubled field", `{"rate": 0.001, "rate": 0.001}`, `"rate" is there twice`},
		{"a doubled field in another case", `{"rate": 0.001, "Rate": 0.1}`, `"Rate" is there twice`},
		{"a doubled field inside", `{"inner": {"seed": 17, "seed": 17}}`, `"seed" is there twice`},
		{"text after it", `{"rate": 0.001} x`, "text follows"},
		{"another value after it", `{"rate": 0.001}{"rate": 0.002}`, "text follows"},
		{"half of it", string(good[:len(good)/2]), "broken JSON"},
		{"nothing", "", "EOF"},
		{"zeros", string(make([]byte, 512)), "broken JSON"},
		{"another type", `{"rate": "x"}`, "rate"},
	} {
		got, err := read(c.text)
		if c.want == "" {
			if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %+v, %v", c.name, got, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), f.Path(configFile)) {
			t.Errorf("%s: %+v, %v, want an error with %q", c.name, got, err, c.want)
		}
	}
	for i := range good {
		for bit := range 8 {
			text := bytes.Clone(good)
			text[i] ^= 1 << bit
			if got, err := read(string(text)); err == nil && fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("bit %d of byte %d flipped: %+v", bit, i, got)
			}
		}
	}
	var any map[string]any
	if _, err := read(`{"a": [1, {"b": 2}, {"b": 3}], "c": {"a": "b"}, "b": "c"}`); err == nil {
		t.Error("other fields are accepted")
	} else if err := f.Options(&any); err != nil || len(any) != 3 {
		t.Errorf("arrays and objects: %v, %v", any, err)
	}
}

// TestState refuses checkpoints whose numbers do not go together or with the training.
func TestState(t *testing.T) {
	f := stopped(t)
	contents, good, err := f.loadCheckpoint(checkpointFile)
	if err != nil {
		t.Fatal(err)
	}
	if good.Position != (data.Position{Epoch: 2, Batch: 4}) || good.Last == nil || good.Early == nil {
		t.Fatalf("the state is %+v", good)
	}
	os.Remove(f.Path(checkpointName(1)))
	for _, c := range []struct {
		name   string
		change func(s *state)
		want   string
	}{
		{"seed", func(s *state) { s.Seed++ }, "seed 4"},
		{"batch", func(s *state) { s.Batch++ }, "batches of 9"},
		{"examples", func(s *state) { s.Examples-- }, "49 examples"},
		{"runs", func(s *state) { s.Runs++ }, "counts 19 runs"},
		{"negative runs", func(s *state) { s.Runs = -s.Runs }, "counts -18 runs"},
		{"position", func(s *state) { s.Position.Batch = 9 }, "cannot begin at"},
		{"negative position", func(s *state) { s.Position.Epoch = -1 }, "cannot begin at"},
		{"after the end", func(s *state) { s.Position = data.Position{Epoch: 4}; s.Runs = 28 }, "from after epoch 4, and Epochs is 3: set it to 4"},
		{"count", func(s *state) { s.Count = 33 }, "counts 33 examples"},
		{"negative count", func(s *state) { s.Count = -1 }, "counts -1 examples"},
		{"seconds", func(s *state) { s.Seconds = -1 }, "time -1"},
		{"best epoch", func(s *state) { s.Early.BestEpoch = 3 }, "best epoch 3"},
		{"waited", func(s *state) { s.Early.Waited = -1 }, "-1 epochs of waiting"},
		{"last", func(s *state) { s.Last.Epoch = 1 }, "last record is of epoch 1"},
		{"form", func(s *state) { s.Form = 4 }, "form 4"},
	} {
		bad := good
		early, last := *good.Early, *good.Last
		bad.Early, bad.Last = &early, &last
		c.change(&bad)
		text, err := json.Marshal(bad)
		if err == nil {
			err = safetensors.Save(f.Path(checkpointFile), contents.Tensors, map[string]string{checkpointKey: string(text)})
		}
		if err != nil {
			t.Fatal(err)
		}
		before := listing(t, f.Dir())
		if err := failure(short(f)); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), f.Path(checkpointFile)) {
			t.Errorf("%s: the error is %v, want %q", c.name, err, c.want)
		}
		if after := listing(t, f.Dir()); !maps.Equal(before, after) {
			t.Errorf("%s: a refused training changes the folder", c.name)
		}
	}
}

// TestDamage changes bytes all over the files of an interrupted run. The training then ends with the weights of the whole one or
// with an error, and so do readers.
func TestDamage(t *testing.T) {
	whole := short(folder(t))
	finish(t, whole)
	f := stopped(t)
	good := listing(t, f.Dir())
	m := newNet()
	if _, err := f.LoadWeights(m); err != nil {
		t.Fatal(err)
	}
	weights := weightsOf(t, m)
	refused, resumed, places := 0, 0, 23
	if testing.Short() {
		places = 7
	}
	for name, text := range good {
		if name == configFile || name == logFile {
			continue // TestStrict, TestBrokenLog
		}
		step := max(1, len(text)/places)
		for at := 0; at < len(text); at += step {
			dir := filepath.Join(t.TempDir(), "run")
			if err := os.Mkdir(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			for other, text := range good {
				b := []byte(text)
				if other == name {
					b[at] ^= 1 << (at % 8)
				}
				if err := os.WriteFile(filepath.Join(dir, other), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			what := fmt.Sprintf("%s, byte %d", name, at)
			again, err := OpenFolder(dir)
			if err != nil {
				t.Fatal(err)
			}
			m := newNet()
			if _, err := again.LoadWeights(m); err == nil {
				sameWeights(t, what, weightsOf(t, m), weights)
			}
			if err := failure(short(quiet(again))); err != nil {
				refused++
				continue
			}
			resumed++
			sameRun(t, what, again, whole.Folder)
		}
	}
	if refused == 0 || resumed < 20 {
		t.Errorf("%d refused, %d resumed", refused, resumed)
	}
	if names := slices.Sorted(maps.Keys(good)); len(names) != 6 {
		t.Errorf("the files are %v", names)
	}
}

// TestSnapshots reads the path of a training from its checkpoints: while it is interrupted, finished, and with a damaged file.
func TestSnapshots(t *testing.T) {
	read := func(f *Folder) (files []string, at []data.Position, weights []float64, failed []string) {
		m := newNet()
		for s, err := range f.Snapshots(m) {
			if err != nil {
				failed = append(failed, s.File)
				continue
			}
			files, at, weights = append(files, s.File), append(at, s.At), append(weights, m.W1.Tensor().Float(0))
		}
		return files, at, weights, failed
	}
	third, second := checkpointName(2), checkpointName(1)
	f := stopped(t) // within the third epoch, with two checkpoints
	if files, at, _, failed := read(f); !slices.Equal(files, []string{second, checkpointFile}) || failed != nil || at[1] != (data.Position{Epoch: 2, Batch: 4}) {
		t.Errorf("interrupted: %v at %v, failed %v", files, at, failed)
	}
	f = folder(t)
	l := short(f)
	l.KeepCheckpoints, l.CheckpointEvery = 5, 0
	finish(t, l)
	files, at, weights, failed := read(f)
	if !slices.Equal(files[1:], []string{third, second, checkpointFile, weightsFile}) || failed != nil {
		t.Fatalf("finished: %v at %v, failed %v", files, at, failed)
	}
	for i, want := range []data.Position{{}, {Epoch: 1}, {Epoch: 2}, {Epoch: 3}, {Epoch: 3}} {
		if at[i] != want {
			t.Errorf("%s is of %v, want %v", files[i], at[i], want)
		}
	}
	if weights[0] == weights[1] || weights[1] == weights[2] || weights[2] == weights[3] || weights[4] != l.Model.(*net).W1.Tensor().Float(0) {
		t.Errorf("the weights are %v", weights)
	}
	edit(t, f, second, flipped)
	edit(t, f, weightsFile, flipped)
	if files, _, _, failed := read(f); len(files) != 3 || !slices.Equal(failed, []string{second, weightsFile}) {
		t.Errorf("damaged: %v, failed %v", files, failed)
	}
	for range f.Snapshots(newNet()) { // a loop can be left
		break
	}
	for _, err := range f.Snapshots(struct{}{}) {
		if err == nil {
			t.Error("a model without params has snapshots")
		}
	}
}
