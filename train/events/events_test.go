package events_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
	"github.com/seed-49005b45/tarn/train/events"
	"github.com/seed-49005b45/tarn/watch"
)

// The tests train with the logger and read the event file.

// event is what is read of one: a scalar, or NaN for what is none.
type event struct {
	run   uint64
	value float64
}

// read returns the events of the only file of a directory, by tag; "start" is the tag of those that begin a session.
func read(t *testing.T, dir string) map[string][]event {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d event files, %v", len(files), err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]event{}
	for len(text) > 0 { // length, checksum, event, checksum
		n := binary.LittleEndian.Uint64(text)
		fields(t, text[12:12+n], func(number protowire.Number, varint uint64, bytes []byte) {
			if number == 2 {
				all[""] = []event{{run: varint}} // the step, for the summary that follows
			}
			if number == 7 {
				all["start"] = append(all["start"], all[""][0])
			}
			if number != 5 {
				return
			}
			e, tag := event{all[""][0].run, math.NaN()}, ""
			fields(t, bytes, func(_ protowire.Number, _ uint64, value []byte) {
				fields(t, value, func(number protowire.Number, x uint64, bytes []byte) {
					switch number {
					case 1:
						tag = string(bytes)
					case 2:
						e.value = float64(math.Float32frombits(uint32(x)))
					}
				})
			})
			all[tag] = append(all[tag], e)
		})
		text = text[16+n:]
	}
	return all
}

// fields calls f for each field of a protocol buffer.
func fields(t *testing.T, m []byte, f func(number protowire.Number, x uint64, bytes []byte)) {
	t.Helper()
	for len(m) > 0 {
		number, kind, n := protowire.ConsumeTag(m)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		value := m[n:]
		size := protowire.ConsumeFieldValue(number, kind, value)
		if size < 0 {
			t.Fatal(protowire.ParseError(size))
		}
		switch kind {
		case protowire.VarintType:
			x, _ := protowire.ConsumeVarint(value)
			f(number, x, nil)
		case protowire.Fixed32Type:
			x, _ := protowire.ConsumeFixed32(value)
			f(number, uint64(x), nil)
		case protowire.BytesType:
			b, _ := protowire.ConsumeBytes(value)
			f(number, 0, b)
		}
		m = value[size:]
	}
}

// training learns the sum of two numbers.
func training(t *testing.T) *train.Loop {
	x, y := tarn.Zeros(tarn.F32, 40, 2), tarn.Zeros(tarn.F32, 40, 1)
	tarn.NewRandom(1, "x").Uniform(x, -1, 1)
	for i := range 40 {
		y.F32()[i] = x.F32()[2*i] + x.F32()[2*i+1]
	}
	set, err := data.NewSet(data.Field{Name: "x", Array: data.Array{Shape: []int{40, 2}, Data: x.F32()}}, data.Field{Name: "label", Array: data.Array{Shape: []int{40, 1}, Data: y.F32()}})
	if err != nil {
		t.Fatal(err)
	}
	m := nn.NewSequential(nn.NewLinear(2, 4), nn.ReLU{}, nn.NewLinear(4, 1))
	if err := tarn.Init(m, 1); err != nil {
		t.Fatal(err)
	}
	build := func(g *tarn.Graph, n int) tarn.Outputs {
		p := m.Forward(g.Input("x", tarn.F32, n, 2))
		return tarn.Outputs{"loss": nn.MSE(p, g.Input("label", tarn.F32, n, 1)), "prediction": p}
	}
	l := train.NewLoop(build, m, optim.NewAdam(0.01), set)
	l.Epochs, l.Batch, l.Valid, l.Metrics = 2, 8, set, []train.Metric{&train.MAE{}}
	l.Watch = &watch.Options{Every: 2, Histograms: true}
	return l
}

func TestEvents(t *testing.T) {
	dir := t.TempDir()
	l := training(t)
	l.Loggers = []train.Logger{events.New(dir, map[string]any{"rate": 0.01, "optimizer": "adam"})}
	var losses []float64
	for p, err := range l.Run(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if p.Record == nil {
			losses = append(losses, p.Loss)
		}
	}
	all := read(t, dir)
	if got := all["loss"]; len(got) != 5 || got[1].run != 3 || got[1].value != float64(float32(losses[2])) {
		t.Errorf("losses %v, trained with %v", got, losses)
	}
	if got := all["epoch/val_loss"]; len(got) != 2 || got[1].run != 10 || got[1].value != float64(float32(l.History()[1].ValLoss)) {
		t.Errorf("validation losses %v", got)
	}
	for tag, n := range map[string]int{
		"rate": 5, "gradient/norm": 5, "gradient/cosine": 4, "alpha": 4, "gradient_norm/0.weight": 5, "update_ratio/2.bias": 5, "dead/0": 5, "output_std/2": 5, "epoch/train_loss": 2, "epoch/mae": 2,
		"weight/0.weight": 5, "gradient/2.bias": 5, "_hparams_/experiment": 1, "_hparams_/session_start_info": 1, "_hparams_/session_end_info": 1,
	} {
		if len(all[tag]) != n {
			t.Errorf("%d events %q, want %d", len(all[tag]), tag, n)
		}
	}

	file := filepath.Join(dir, "file")
	os.WriteFile(file, nil, 0o600)
	l = training(t)
	l.Loggers = []train.Logger{events.New(filepath.Join(file, "below"), nil)}
	var last error
	for _, err := range l.Run(context.Background()) {
		last = err
	}
	if last == nil || !strings.Contains(last.Error(), "cannot begin") {
		t.Errorf("a directory that cannot be made: %v", last)
	}
	bad := events.New(t.TempDir(), map[string]any{"x": errors.New("x")})
	if err := bad.Begin(watch.Header{}); err == nil {
		t.Error("a hyperparameter that is none is accepted")
	}
}

// TestResumed expects a file of a training that is resumed to say from which run on it replaces what others have.
func TestResumed(t *testing.T) {
	for run, want := range map[int64][]event{0: nil, 120: {{run: 121}}} {
		dir := t.TempDir()
		l := events.New(dir, map[string]any{"rate": 0.01})
		if err := errors.Join(l.Begin(watch.Header{Run: run}), l.End(nil)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, dir)["start"]; !slices.Equal(got, want) {
			t.Errorf("after %d runs the sessions begin at %v, want %v", run, got, want)
		}
	}
}

// TestLines logs what a small training does not have.
func TestLines(t *testing.T) {
	dir := t.TempDir()
	l := events.New(dir, nil)
	err := l.Begin(watch.Header{})
	for _, line := range []watch.Line{
		{Verdict: &watch.Verdict{Run: 1}}, {Verdict: &watch.Verdict{Run: 1, Rule: "dead-relu", Headline: "dead", Evidence: "0.9"}}, {Failure: &watch.Failure{Run: 2, Error: "NaN"}},
		{Epoch: &watch.Epoch{Run: 3, TrainLoss: 1, ValLoss: watch.Number(math.NaN())}}, {Step: &watch.Step{Run: 4, Values: map[string]watch.Number{"mine": 5}}},
	} {
		err = errors.Join(err, l.Log(line))
	}
	if err := errors.Join(err, l.End(nil)); err != nil {
		t.Fatal(err)
	}
	all := read(t, dir)
	if len(all["verdict"]) != 2 || len(all["failure"]) != 1 || len(all["epoch/val_loss"]) != 0 || all["value/mine"][0] != (event{4, 5}) {
		t.Errorf("events %v", all)
	}
	if l.Log(watch.Line{Verdict: &watch.Verdict{}}) == nil {
		t.Error("a logger that has ended logs")
	}
}

// TestRanks writes the times of ranks.
func TestRanks(t *testing.T) {
	dir := t.TempDir()
	l := events.New(dir, nil)
	columns := []watch.Number{0.25, 0.5}
	err := errors.Join(l.Begin(watch.Header{Ranks: make([]watch.Rank, 2)}),
		l.Log(watch.Line{Step: &watch.Step{Run: 7, Ranks: &watch.RankColumns{Compute: columns, Between: columns, Wait: columns, Exchange: columns}}}), l.End(nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, dir)["seconds_waiting/rank_1"]; len(got) != 1 || got[0].run != 7 || got[0].value != 0.5 {
		t.Errorf("the waits of rank 1 are %v", got)
	}
}
