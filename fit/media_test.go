package fit_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
