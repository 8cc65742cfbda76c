package tensorboard

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"image"
	"image/color"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The golden event file is what writeAll writes. testdata/golden.py reads it by TensorBoard's own reader and writes what
// it has found to golden.json; the tests hold the writer to both.

var update = flag.Bool("update", false, "write testdata/golden.tfevents anew; run testdata/golden.py after it")

const goldenFile = "testdata/golden.tfevents"

// golden is what TensorBoard has read.
type golden struct {
	Scalars    map[string][]struct{ Step, Value, Time float64 }
	Histograms map[string]struct {
		Step, Min, Max, Num, Sum, Squares float64
		Limits, Counts                    []float64
	}
	Images map[string]struct {
		Step, Width, Height int
		Pixels              [][]int
	}
	Texts   map[string]string
	HParams struct {
		Declared map[string]string
		Values   map[string]any
		Metrics  []string
		Status   int
	}
}

var (
	losses = []float64{2.5, 1.25, 0.75}
	values = []float64{-3, -0.5, 0, 0, 1e-13, 0.001, 0.25, 0.25, 7, 1e21}
	text   = "**bold** and `code`"
)

func picture() image.Image {
	m := image.NewRGBA(image.Rect(0, 0, 3, 2))
	for i := range 6 {
		m.Set(i%3, i/3, color.RGBA{uint8(40 * i), 255, uint8(200 - 40*i), 255})
	}
	return m
}

var hparams = map[string]any{"rate": 0.001, "layers": 3, "optimizer": "adamw", "shuffle": true}

// writeAll writes one event of each kind, at fixed times.
func writeAll(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	now := time.Unix(1_700_000_000, 0)
	w.Now = func() time.Time { now = now.Add(500 * time.Millisecond); return now }
	err := w.HParams(hparams, "loss/train")
	for i, x := range losses {
		err = errors.Join(err, w.Scalar("loss/train", int64(10*i), x))
	}
	err = errors.Join(err, w.Scalar("bad", 1, math.Inf(1)), w.Histogram("weights", 20, values), w.Image("digit", 20, picture()),
		w.Text("note", 0, text), w.End(true), w.Close())
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestGolden(t *testing.T) {
	got := writeAll(t)
	if *update {
		if err := os.WriteFile(goldenFile, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the events differ from %s, which TensorBoard has read: if that is meant, run go test -update and testdata/golden.py", goldenFile)
	}
	raw, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	read := g.Scalars["loss/train"]
	if len(read) != len(losses) {
		t.Fatalf("TensorBoard has read %d losses, want %d", len(read), len(losses))
	}
	for i, x := range losses {
		if read[i].Value != x || read[i].Step != float64(10*i) || read[i].Time < 1_700_000_000 {
			t.Errorf("loss %d was read as %+v, want %v at step %d", i, read[i], x, 10*i)
		}
	}
	h := g.Histograms["weights"]
	if h.Step != 20 || h.Min != -3 || h.Max != 1e21 || h.Num != float64(len(values)) {
		t.Errorf("the histogram was read as %+v", h)
	}
	for i, limit := range h.Limits { // count again, by the definition
		low := math.Inf(-1)
		if i > 0 {
			low = h.Limits[i-1]
		}
		n := 0.0
		for _, x := range values {
			if x > low && x <= limit {
				n++
			}
		}
		if n != h.Counts[i] {
			t.Errorf("bucket (%v, %v] was read with %v values, want %v", low, limit, h.Counts[i], n)
		}
	}
	m := g.Images["digit"]
	if m.Step != 20 || m.Width != 3 || m.Height != 2 || len(m.Pixels) != 6 {
		t.Fatalf("the image was read as %+v", m)
	}
	for i, p := range m.Pixels {
		r, gr, b, _ := picture().At(i%3, i/3).RGBA()
		if p[0] != int(r>>8) || p[1] != int(gr>>8) || p[2] != int(b>>8) {
			t.Errorf("pixel %d was read as %v", i, p)
		}
	}
	if g.Texts["note"] != text {
		t.Errorf("the text was read as %q", g.Texts["note"])
	}
	for name, x := range map[string]any{"rate": 0.001, "layers": 3.0, "optimizer": "adamw", "shuffle": true} {
		if g.HParams.Values[name] != x {
			t.Errorf("hyperparameter %q was read as %v, want %v", name, g.HParams.Values[name], x)
		}
	}
	if d := g.HParams.Declared; d["rate"] != "DATA_TYPE_FLOAT64" || d["optimizer"] != "DATA_TYPE_STRING" || d["shuffle"] != "DATA_TYPE_BOOL" {
		t.Errorf("the hyperparameters were read as %v", d)
	}
	if len(g.HParams.Metrics) != 1 || g.HParams.Metrics[0] != "loss/train" || g.HParams.Status != 1 {
		t.Errorf("the experiment was read as %+v", g.HParams)
	}
}

func TestCreate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "run")
	for range 2 { // two writers of one process do not meet
		w, err := Create(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Scalar("x", 1, 2), w.Flush(), w.Close()); err != nil {
			t.Fatal(err)
		}
		if err := w.Scalar("x", 2, 3); err == nil {
			t.Error("a closed writer takes a scalar")
		}
	}
	found, err := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*"))
	if err != nil || len(found) != 2 {
		t.Errorf("there are %q, want two event files (%v)", found, err)
	}
}

// full is a stream on a full disk.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestRefusals(t *testing.T) {
	w := NewWriter(new(bytes.Buffer))
	for _, c := range []struct {
		err  error
		want string
	}{
		{w.Scalar("", 0, 1), "tag is empty"},
		{w.Histogram("h", 0, nil), `histogram "h": there are no values`},
		{w.Histogram("h", 0, []float64{1, math.NaN()}), "value 1 is NaN"},
		{w.Histogram("h", 0, []float64{math.Inf(-1)}), "value 0 is -Inf"},
		{w.Image("i", 0, nil), `image "i" is empty`},
		{w.Image("i", 0, image.NewGray(image.Rect(0, 0, 0, 4))), `image "i" is empty`},
		{w.HParams(map[string]any{"sizes": []int{1}}), `hyperparameter "sizes" is a []int`},
		{w.HParams(map[string]any{"nothing": nil}), `hyperparameter "nothing" is nil`},
		{NewWriter(full{}).Close(), ""},
	} {
		if c.want == "" && c.err != nil || c.want != "" && (c.err == nil || !strings.Contains(c.err.Error(), c.want)) {
			t.Errorf("the error is %v, want %q", c.err, c.want)
		}
	}
	broken := NewWriter(full{})
	if err := broken.Scalar("x", 0, 1); err != nil { // still in the buffer
		t.Error(err)
	}
	for range 2 {
		if err := broken.Flush(); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("Flush returned %v", err)
		}
	}
	if err := broken.Scalar("x", 0, 1); err == nil {
		t.Error("a broken writer takes a scalar")
	}
}

// TestBuckets compares a distribution that has been counted with what TensorBoard keeps of it.
func TestBuckets(t *testing.T) {
	write := func(f func(w *Writer) error) []byte {
		var b bytes.Buffer
		w := NewWriter(&b)
		w.Now = func() time.Time { return time.Unix(1, 0) }
		if err := errors.Join(f(w), w.Close()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	got := write(func(w *Writer) error { return w.Buckets("a", 3, []float64{-2, 0, 1, 5}, []int{1, 0, 2}) })
	want := write(func(w *Writer) error {
		return w.summary("a", 3, histogramValue(histogram{min: -2, max: 5, num: 3, sum: 5, squares: 19, limits: []float64{0, 1, 5}, counts: []float64{1, 0, 2}}))
	})
	if !bytes.Equal(got, want) {
		t.Errorf("the event is %x, want %x", got, want)
	}
	w := NewWriter(io.Discard)
	for _, c := range []struct {
		limits []float64
		counts []int
	}{
		{nil, nil}, {[]float64{1}, nil}, {[]float64{1, 2}, []int{1, 2}}, {[]float64{2, 1}, []int{1}}, {[]float64{1, math.NaN()}, []int{1}}, {[]float64{1, math.Inf(1)}, []int{1}}, {[]float64{1, 2}, []int{-1}},
	} {
		if err := w.Buckets("a", 1, c.limits, c.counts); err == nil || !strings.Contains(err.Error(), `histogram "a"`) {
			t.Errorf("limits %v and counts %v: %v", c.limits, c.counts, err)
		}
	}
}
