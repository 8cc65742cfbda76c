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
	second, err := fit.Images(ctx, f, o)
	if err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := errors.Join(m.Write(&a), second.Write(&b)); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("the same pictures and seed make another model, %v", err)
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
