package fit_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn/data/images"
	"github.com/seed-49005b45/tarn/data/mnist"
	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/fit"
	"github.com/seed-49005b45/tarn/interop/safetensors"
)

// This file tests models of pictures, texts and series.

// digits writes n digits of MNIST from 0 to 2 as PNG files, in a folder for each.
func digits(t testing.TB, n int) *images.Folder {
	t.Helper()
	set, _, err := mnist.Load()
	if err != nil {
		t.Fatal(err)
	}
	if set, err = set.Slice(0, 1000); err != nil {
		t.Fatal(err)
	}
	pixels, err := set.Tensor("image")
	if err != nil {
		t.Fatal(err)
	}
	labels, err := set.Tensor("label")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i := 0; n > 0; i++ {
		if labels.Float(i) > 2 {
			continue
		}
		img := image.NewGray(image.Rect(0, 0, 28, 28))
		for p := range img.Pix {
			img.Pix[p] = uint8(255 * min(1, max(0, pixels.Float(i*784+p))))
		}
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, fmt.Sprint(labels.Float(i)), fmt.Sprintf("%04d.png", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		n--
	}
	f, err := images.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// again saves a model, loads it and expects the same bytes and answers.
func again(t *testing.T, m *fit.Model, rows *table.Table) *fit.Model {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.tarn")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	loaded, err := fit.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := errors.Join(m.Write(&a), loaded.Write(&b)); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("a model that was loaded is written differently, %v", err)
	}
	x, err := m.Predict(context.Background(), rows)
	if err != nil {
		t.Fatal(err)
	}
	y, err := loaded.Predict(context.Background(), rows)
	if err != nil || fmt.Sprint(x) != fmt.Sprint(y) {
		t.Errorf("a model that was loaded answers differently, %v", err)
	}
	return loaded
}

func TestImages(t *testing.T) {
	ctx := context.Background()
	f := digits(t, 120)
	o := fit.ImageOptions{Target: "digit", MediaOptions: fit.MediaOptions{Epochs: 25, Seed: 1}}
	m, err := fit.Images(ctx, f, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(m.About.Metrics)
	if a := m.About.Metrics["accuracy"]; a < 0.85 || m.About.Baseline["accuracy"] > 0.5 || m.About.Digest == "" || !strings.Contains(m.About.Split, "to judge") {
		t.Errorf("%+v", m.About)
	}
	rows, err := fit.Pictures(f, "digit")
	if err != nil {
		t.Fatal(err)
	}
	loaded := again(t, m, rows)
	e, err := loaded.Evaluate(ctx, rows)
	if err != nil || e.Metrics["accuracy"] < 0.85 || !loaded.ReadsPictures() {
		t.Errorf("%v %v", e.Metrics, err)
	}
	if !testing.Short() {
		second, err := fit.Images(ctx, f, o)
		if err != nil {
			t.Fatal(err)
		}
		var a, b bytes.Buffer
		if err := errors.Join(m.Write(&a), second.Write(&b)); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("the same pictures and seed make another model, %v", err)
		}
	}
	address := table.Words("image", "data:image/png;base64,"+rows.Columns[0].Text(0))
	if one, err := table.New(address); err != nil {
		t.Fatal(err)
	} else if _, err := m.Predict(ctx, one); err != nil {
		t.Error(err)
	}
	for word, want := range map[string]string{
		"":         "there is no picture",
		"%%":       "no picture in base64",
		"aGVsbG8=": "neither PNG, JPEG, GIF nor WebP",
		base64.StdEncoding.EncodeToString([]byte("\x89PNG\r\n\x1a\n")): "EOF",
	} {
		bad, err := table.New(table.Words("image", rows.Columns[0].Text(0), word))
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.Predict(ctx, bad)
		var cell *table.CellError
		if !errors.As(err, &cell) || cell.Row != 1 || cell.Column != "image" || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", word, err, want)
		}
	}
	for name, c := range map[string]struct {
		f    *images.Folder
		o    fit.ImageOptions
		want string
	}{
		"nil":     {nil, fit.ImageOptions{}, "at least 10 pictures"},
		"network": {f, fit.ImageOptions{Network: "vgg"}, `network "vgg"`},
		"size":    {f, fit.ImageOptions{Size: 4}, "images of 4 pixels"},
		"mirror":  {f, fit.ImageOptions{Mirror: "maybe"}, `mirror "maybe"`},
		"target":  {f, fit.ImageOptions{Target: "image"}, "cannot be called image"},
		"classes": {&images.Folder{Paths: f.Paths, Labels: make([]int32, 120), Classes: []string{"a"}}, fit.ImageOptions{}, "nothing to learn"},
		"valid":   {f, fit.ImageOptions{MediaOptions: fit.MediaOptions{Valid: 1}}, "a share of 1"},
		"weights": {f, fit.ImageOptions{MediaOptions: fit.MediaOptions{Weights: "x"}}, `weights "x"`},
		"epochs":  {f, fit.ImageOptions{MediaOptions: fit.MediaOptions{Epochs: -1}}, "-1 epochs"},
		"rate":    {f, fit.ImageOptions{MediaOptions: fit.MediaOptions{Rate: -1}}, "rate -1"},
	} {
		if _, err := fit.Images(ctx, c.f, c.o); err == nil || !strings.HasPrefix(err.Error(), "fit: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// TestResNets takes a step with each of the larger networks.
func TestResNets(t *testing.T) {
	f := digits(t, 20)
	for _, network := range []string{"resnet18", "resnet34"} {
		if testing.Short() && network == "resnet34" {
			continue
		}
		m, err := fit.Images(context.Background(), f, fit.ImageOptions{Network: network, Size: 16, MediaOptions: fit.MediaOptions{Epochs: 1, Weights: "balanced"}})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := fit.Pictures(f, "")
		if err != nil {
			t.Fatal(err)
		}
		again(t, m, rows.Take([]int{0, 5}))
	}
}

// seasons is a table of two series of months, with a season of 12 and a trend.
func seasons(t *testing.T, months int) *table.Table {
	t.Helper()
	var day, shop []string
	var sales, price []float64
	for i := range months {
		for k, name := range []string{"north", "south"} {
			day = append(day, time.Date(2001, time.Month(1+i), 1, 0, 0, 0, 0, time.UTC).Format("2006-01-02"))
			shop = append(shop, name)
			sales = append(sales, float64(k+1)*(100+float64(i)+30*math.Sin(float64(i)*math.Pi/6))+math.Sin(float64(i*i)))
			price = append(price, float64(i%3))
		}
	}
	tab, err := table.New(table.Words("day", day...), table.Words("shop", shop...), table.Numbers("sales", sales...), table.Numbers("price", price...))
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestSeries(t *testing.T) {
	ctx := context.Background()
	tab := seasons(t, 120)
	for _, network := range []string{"gru", "tcn"} {
		o := fit.SeriesOptions{Target: "sales", Time: "day", Group: "shop", Columns: []string{"price"}, Horizon: 6, Hidden: 16, Network: network, MediaOptions: fit.MediaOptions{Epochs: 30, Seed: 1}}
		m, err := fit.Series(ctx, tab, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(network, m.About.Metrics, m.About.Baseline)
		if m.About.Metrics["MAE"] > m.About.Baseline["MAE"]/3 || m.About.Interval <= 0 || !m.ReadsSeries() {
			t.Errorf("%s: %+v", network, m.About)
		}
		rows := make([]int, 200)
		for i := range rows {
			rows[i] = i
		}
		known := tab.Take(rows) // 100 months
		loaded := again(t, m, known)
		e, err := loaded.Evaluate(ctx, tab)
		if err != nil || e.Metrics["MAE"] > m.About.Baseline["MAE"]/2 || e.Rows < 100 {
			t.Errorf("%s: %v, %v", network, e.Metrics, err)
		}
		later, answers, err := loaded.Forecast(ctx, known)
		if err != nil || later.Rows() != 12 || later.Column("day").Text(0) != "2009-05-01" || later.Column("day").Text(5) != "2009-10-01" || later.Column("shop").Text(6) != "south" {
			t.Fatalf("%s: %+v %v", network, later, err)
		}
		// The same months, asked for by rows without their values, in any order.
		for i := 200; i < 212; i++ {
			rows = append(rows, i)
		}
		open := tab.Take(rows)
		sales := append([]float64{}, open.Column("sales").Numbers...)
		for i := 200; i < 212; i++ {
			sales[i] = math.NaN()
		}
		slices.Reverse(rows)
		open = open.With(table.Numbers("sales", sales...)).Take(rows)
		asked, err := loaded.Predict(ctx, open)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range rows {
			want := sales[r]
			if r >= 200 {
				want = answers.Values[(r-200)%2*6+(r-200)/2]
			}
			if math.Abs(asked.Values[i]-want) > 1e-3 {
				t.Errorf("%s: row %d is %v, want %v", network, r, asked.Values[i], want)
			}
		}
		var a, b bytes.Buffer
		second, err := fit.Series(ctx, tab, o)
		if err = errors.Join(err, m.Write(&a), second.Write(&b)); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s: the same table and seed make another model, %v", network, err)
		}
		far := tab.With(table.Numbers("sales", append(slices.Clone(tab.Column("sales").Numbers[:220]), slices.Repeat([]float64{math.NaN()}, 20)...)...))
		_, err = m.Predict(ctx, far)
		var cell *table.CellError
		if !errors.As(err, &cell) || cell.Column != "sales" || !strings.Contains(err.Error(), "7 steps after the last one that is known") {
			t.Errorf("%s: %v", network, err)
		}
	}
	numbers := make([]float64, 80)
	for i := range numbers {
		numbers[i] = float64(i % 7)
	}
	plain, err := table.New(table.Numbers("y", numbers...))
	if err != nil {
		t.Fatal(err)
	}
	m, err := fit.Series(ctx, plain, fit.SeriesOptions{Target: "y", Horizon: 3, MediaOptions: fit.MediaOptions{Epochs: 2}})
	if err != nil {
		t.Fatal(err)
	}
	if later, a, err := again(t, m, plain).Forecast(ctx, plain); err != nil || later.Rows() != 3 || a.Rows() != 3 {
		t.Errorf("%v %v %v", later, a, err)
	}
	for name, c := range map[string]struct {
		t    *table.Table
		o    fit.SeriesOptions
		want string
	}{
		"nil":     {nil, fit.SeriesOptions{}, "the table is nil"},
		"target":  {tab, fit.SeriesOptions{Horizon: 1}, "the column \"\" cannot be"},
		"column":  {tab, fit.SeriesOptions{Target: "x", Horizon: 1}, `no column "x"`},
		"twice":   {tab, fit.SeriesOptions{Target: "sales", Columns: []string{"sales"}, Horizon: 1}, "cannot be the target"},
		"horizon": {plain, fit.SeriesOptions{Target: "y"}, "a horizon of 0"},
		"network": {plain, fit.SeriesOptions{Target: "y", Horizon: 1, Network: "lstm"}, `network "lstm"`},
		"long":    {plain, fit.SeriesOptions{Target: "y", Horizon: 2, Length: 100}, "longer than the longest"},
		"few":     {plain, fit.SeriesOptions{Target: "y", Horizon: 20, Length: 50}, "too few"},
		"time":    {tab, fit.SeriesOptions{Target: "sales", Time: "day", Horizon: 1}, "is there twice"},
		"weights": {plain, fit.SeriesOptions{Target: "y", Horizon: 1, MediaOptions: fit.MediaOptions{Weights: "balanced"}}, "balanced"},
	} {
		if _, err := fit.Series(ctx, c.t, c.o); err == nil || !strings.HasPrefix(err.Error(), "fit: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// letters is a table of short texts of two kinds.
func letters(t *testing.T, n int) *table.Table {
	t.Helper()
	good, bad := []string{"wonderful", "lovely", "great", "I liked it", "beautiful"}, []string{"awful", "boring", "terrible", "I hated it", "ugly"}
	plain := []string{"the film", "a book", "this evening", "with friends", "und überhaupt", "in the end", "it was", "so", "very"}
	var words, moods []string
	for i := range n {
		kind, mood := good, "good"
		if i%3 == 0 {
			kind, mood = bad, "bad"
		}
		words = append(words, plain[i%9]+" "+plain[(i*i+i/9)%9]+" "+kind[(i/3+i/5)%5]+" "+plain[(i/2)%9]+"!")
		moods = append(moods, mood)
	}
	tab, err := table.New(table.Words("text", words...), table.Words("mood", moods...), table.Words("id", words...))
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestTexts(t *testing.T) {
	ctx := context.Background()
	tab := letters(t, 150)
	for _, network := range []string{"bag", "transformer"} {
		o := fit.TextOptions{Target: "mood", Text: "text", Network: network, Tokens: 400, Width: 32, MediaOptions: fit.MediaOptions{Epochs: 20, Seed: 1, Weights: "balanced"}}
		m, err := fit.Texts(ctx, tab, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(network, m.About.Metrics, m.About.Baseline)
		if m.About.Metrics["accuracy"] < 0.95 || m.Judged() == nil {
			t.Errorf("%s: %v", network, m.About.Metrics)
		}
		loaded := again(t, m, tab)
		later, err := table.New(table.Words("text", "a lovely evening", "it was so boring and ugly", "", "???"))
		if err != nil {
			t.Fatal(err)
		}
		a, err := loaded.Predict(ctx, later)
		if err != nil || a.Labels[0] != "good" || a.Labels[1] != "bad" || a.Rows() != 4 {
			t.Errorf("%s: %+v %v", network, a, err)
		}
		if e, err := loaded.Evaluate(ctx, tab); err != nil || e.Metrics["accuracy"] < 0.95 {
			t.Errorf("%s: %v", network, err)
		}
		var one, two bytes.Buffer
		second, err := fit.Texts(ctx, tab, o)
		if err = errors.Join(err, m.Write(&one), second.Write(&two)); err != nil || !bytes.Equal(one.Bytes(), two.Bytes()) {
			t.Errorf("%s: the same table and seed make another model, %v", network, err)
		}
	}
	for name, c := range map[string]struct {
		t    *table.Table
		o    fit.TextOptions
		want string
	}{
		"nil":     {nil, fit.TextOptions{}, "the table is nil"},
		"which":   {tab, fit.TextOptions{Target: "mood"}, "which of the columns"},
		"column":  {tab, fit.TextOptions{Target: "mood", Text: "x"}, `no column "x"`},
		"target":  {tab, fit.TextOptions{Target: "x", Text: "text"}, `no column "x"`},
		"both":    {tab, fit.TextOptions{Target: "text", Text: "text"}, "both the text and the target"},
		"network": {tab, fit.TextOptions{Target: "mood", Text: "text", Network: "lstm"}, `network "lstm"`},
		"width":   {tab, fit.TextOptions{Target: "mood", Text: "text", Width: 7}, "embeddings of 7"},
		"length":  {tab, fit.TextOptions{Target: "mood", Text: "text", Length: -1}, "texts of -1 tokens"},
		"tokens":  {tab, fit.TextOptions{Target: "mood", Text: "text", Tokens: 10}, "a size of 10"},
	} {
		if _, err := fit.Texts(ctx, c.t, c.o); err == nil || !strings.HasPrefix(err.Error(), "fit: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// TestMediaFiles changes what a file says of its model, and expects an error.
func TestMediaFiles(t *testing.T) {
	numbers := make([]float64, 60)
	for i := range numbers {
		numbers[i] = float64(i % 7)
	}
	plain, err := table.New(table.Numbers("y", numbers...))
	if err != nil {
		t.Fatal(err)
	}
	m, err := fit.Series(context.Background(), plain, fit.SeriesOptions{Target: "y", Horizon: 3, Length: 8, Hidden: 4, MediaOptions: fit.MediaOptions{Epochs: 1}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.tarn")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string][3]string{
		"network":   {`"network":"gru"`, `"network":"x"`, `network "x"`},
		"horizon":   {`"horizon":3`, `"horizon":0`, "a horizon of 0"},
		"shape":     {`"horizon":3`, `"horizon":4`, "out"},
		"length":    {`"length":8`, `"length":-8`, "a past of -8"},
		"hidden":    {`"hidden":4`, `"hidden":4000000000`, "4000000000 hidden"},
		"columns":   {`"columns":["y"]`, `"columns":[]`, "the columns"},
		"column":    {`"columns":["y"]`, `"columns":["y","z"]`, `no column "z"`},
		"dropout":   {`"dropout":0.1`, `"dropout":2`, "a dropout of 2"},
		"task":      {`"task":"regress"`, `"task":"classify"`, "task"},
		"unknown":   {`"network":"gru"`, `"networks":"gru"`, "networks"},
		"two media": {`"series":{`, `"images":{},"series":{`, "several kinds"},
		"no medium": {`"series":{`, `"text":{},"series":{`, ""},
	} {
		changed := strings.Replace(f.Metadata[fit.Key], c[0], c[1], 1)
		if changed == f.Metadata[fit.Key] {
			t.Errorf("%s: the file has no %s", name, c[0])
			continue
		}
		if name == "no medium" {
			changed = strings.Replace(changed, `"series":{`, `"other":{`, 1)
		}
		var b bytes.Buffer
		if err := safetensors.Write(&b, f.Tensors, map[string]string{fit.Key: changed}); err != nil {
			t.Fatal(err)
		}
		if _, err := fit.Read(bytes.NewReader(b.Bytes()), int64(b.Len())); err == nil || !strings.HasPrefix(err.Error(), "fit: ") || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("%s: error %v, want %q", name, err, c[2])
		}
	}
}
