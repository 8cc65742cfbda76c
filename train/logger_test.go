package train

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/watch"
)

// The tests listen to trainings that end, fail, are left and are resumed.

// listener counts what it is told, and fails if asked to.
type listener struct {
	headers []watch.Header
	lines   []watch.Line
	ends    []error
	failAt  string
}

var errListener = errors.New("the sink is full")

func (l *listener) fails(at string) error {
	if l.failAt == at {
		return errListener
	}
	return nil
}

func (l *listener) Begin(h watch.Header) error {
	l.headers = append(l.headers, h)
	return l.fails("begin")
}

func (l *listener) Log(line watch.Line) error {
	l.lines = append(l.lines, line)
	return l.fails("log")
}

func (l *listener) End(err error) error {
	l.ends = append(l.ends, err)
	return l.fails("end")
}

func TestLoggers(t *testing.T) {
	with := func(l *Loop, loggers ...Logger) *Loop { l.Loggers = loggers; l.Epochs = 3; return l }
	// A training in a folder tells a logger what it records.
	one := &listener{}
	folder, err := CreateFolder(t.TempDir()+"/run", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := failure(with(loop().with(folder), one)); err != nil {
		t.Fatal(err)
	}
	h, err := watch.Load(folder.Path(watch.FileName))
	if err != nil {
		t.Fatal(err)
	}
	heard := &watch.History{}
	heard.Add(watch.Line{Header: &one.headers[0]})
	for _, line := range one.lines {
		heard.Add(line)
	}
	if len(heard.Steps) != len(h.Steps) || len(heard.Steps) == 0 || len(heard.Epochs) != 3 || heard.Epochs[2].TrainLoss != h.Epochs[2].TrainLoss && !heard.Epochs[2].TrainLoss.Finite() {
		t.Errorf("heard of %d looks and %d epochs; %d and %d are recorded", len(heard.Steps), len(heard.Epochs), len(h.Steps), len(h.Epochs))
	}
	if len(one.headers) != 1 || len(one.headers[0].Params) != 4 || len(one.ends) != 1 || one.ends[0] != nil {
		t.Errorf("%d beginnings, with %d params, and ends %v", len(one.headers), len(one.headers[0].Params), one.ends)
	}
	// Resumed for more epochs.
	l := with(loop().with(folder), one)
	l.Epochs = 4
	if err := failure(l); err != nil || len(one.headers) != 2 || one.headers[1].Run != h.Epochs[2].Run {
		t.Errorf("resumed: %v, headers %v", err, one.headers)
	}
	// Without folder and watch there are epochs.
	plain := &listener{}
	l = with(loop(), plain)
	l.Watch = nil
	if err := failure(l); err != nil || len(plain.lines) != 3 || plain.lines[0].Epoch == nil || plain.headers[0].Batch != 8 {
		t.Errorf("not watched: %v, %d lines", err, len(plain.lines))
	}
	// A loop that is left, and one that is canceled.
	left := &listener{}
	for range with(loop(), left).Run(context.Background()) {
		break
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for range with(loop(), left).Run(ctx) {
		cancel()
	}
	if len(left.ends) != 2 || left.ends[0] != errBreak || !errors.Is(left.ends[1], context.Canceled) {
		t.Errorf("ends %v", left.ends)
	}
	// Loggers that fail.
	for _, at := range []string{"begin", "log", "end"} {
		first, bad := &listener{}, &listener{failAt: at}
		err := failure(with(loop(), first, bad))
		if !errors.Is(err, errListener) || !strings.Contains(err.Error(), "*train.listener") || len(first.ends) != 1 {
			t.Errorf("failing at %s: %v, the other ends %v", at, err, first.ends)
		}
		if at == "log" && !errors.Is(first.ends[0], errListener) || at == "begin" && len(bad.ends) > 0 {
			t.Errorf("failing at %s: ends %v and %v", at, first.ends, bad.ends)
		}
	}
	if err := failure(with(loop(), nil)); err == nil || !strings.Contains(err.Error(), "Loggers[0] is nil") {
		t.Errorf("a nil logger: %v", err)
	}
}

// TestFolderState looks at a folder before, during and after a training.
func TestFolderState(t *testing.T) {
	folder, err := CreateFolder(t.TempDir()+"/run", nil)
	if err != nil {
		t.Fatal(err)
	}
	is := func(want string) {
		t.Helper()
		if got := folder.State(); got != want {
			t.Errorf("the run is %s, want %s", got, want)
		}
	}
	is(Stopped)
	for p, err := range short(folder).Run(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if p.Record == nil {
			is(Running)
		}
	}
	is(Finished)
	os.WriteFile(folder.Path("lock"), []byte(`{"pid":999999999,"host":"`+hostname(t)+`"}`), 0o600) // left by a crash
	is(Finished)
	os.Remove(folder.Path(weightsFile))
	is(Stopped)
}

func hostname(t *testing.T) string {
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return name
}
