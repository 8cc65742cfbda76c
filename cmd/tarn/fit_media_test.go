package main

// The tests make models of pictures, texts and series, and ask them, as a user does.

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// squares writes pictures of bright and dark squares.
func squares(t *testing.T, dir string) {
	t.Helper()
	for i := range 24 {
		kind := []string{"bright", "dark"}[i%2]
		img := image.NewGray(image.Rect(0, 0, 12, 12))
		for p := range img.Pix {
			img.Pix[p] = uint8(30*(1-i%2)*5 + (p*7+i*13)%60)
		}
		img.SetGray(i%12, 3, color.Gray{128})
		if err := os.MkdirAll(filepath.Join(dir, kind), 0o700); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(filepath.Join(dir, kind, fmt.Sprintf("%02d.png", i)))
		if err == nil {
			err = png.Encode(f, img)
		}
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestFitPictures(t *testing.T) {
	t.Chdir(t.TempDir())
	squares(t, "photos")
	_, words := command(t, 0, "fit", "photos/", "--epochs", "12", "--report", "rep")
	for _, want := range []string{"photos/: 24 pictures of 2 classes: bright, dark", "split: ", "accuracy", "wrote photos.tarn"} {
		if !strings.Contains(words, want) {
			t.Errorf("fit says no %q:\n%s", want, words)
		}
	}
	for _, name := range []string{"index.html", "report.json", "confusion.png"} {
		if info, err := os.Stat(filepath.Join("rep", name)); err != nil || info.Size() < 500 {
			t.Errorf("the report has no %s: %v", name, err)
		}
	}
	one, _ := command(t, 0, "predict", "photos.tarn", "photos/dark/01.png", "--proba")
	if all := records(t, one); len(all) != 2 || fmt.Sprint(all[0]) != "[file prediction p_bright p_dark]" || all[1][1] != "dark" {
		t.Errorf("a picture: %s", one)
	}
	all, _ := command(t, 0, "predict", "photos.tarn", "photos")
	if got := records(t, all); len(got) != 25 || got[1][1] != "bright" || got[24][1] != "dark" {
		t.Errorf("a folder: %s", all)
	}
	if out, _ := command(t, 0, "evaluate", "photos.tarn", "photos"); !strings.Contains(out, "accuracy") {
		t.Errorf("evaluate prints %s", out)
	}
	if err := os.WriteFile("names.csv", []byte("picture,kind\nbright/00.png,a\n"+strings.Repeat("dark/01.png,b\nbright/02.png,a\n", 8)), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{"measure it on the new rows with tarn evaluate": {"check", "names.csv", "--model", "photos.tarn"}, "export its weights as safetensors": {"export", "photos.tarn", "--to", "onnx"}} {
		if _, message := command(t, 1, args...); !strings.Contains(message, want) {
			t.Errorf("tarn %q: %q, want %q", args, message, want)
		}
	}
	if _, words := command(t, 0, "fit", "photos", "--labels", "names.csv", "--target", "kind", "--out", "named.tarn", "--epochs", "1"); !strings.Contains(words, "17 pictures of 2 classes: a, b") {
		t.Errorf("with labels: %s", words)
	}
	if err := os.WriteFile("photos/bright/00.png", []byte("no picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"predict", "photos.tarn", "photos"}, {"evaluate", "photos.tarn", "photos"}, {"fit", "photos", "--force"}} {
		_, message := command(t, 1, args...)
		if message = filepath.ToSlash(message); !strings.Contains(message, "photos/bright/00.png: ") || !strings.Contains(message, "this is neither PNG, JPEG, GIF nor WebP; replace or remove the file") {
			t.Errorf("%s with a broken picture: %s", args[0], message)
		}
	}
	if _, message := command(t, 2, "predict", "photos.tarn", "photos", "--explain"); !strings.Contains(message, "--explain is for models of tables") {
		t.Errorf("explain: %s", message)
	}
}

// sales writes the sales of two shops in 72 months to sales.csv, and with two unknown months more to open.csv.
func sales(t *testing.T) {
	t.Helper()
	var b strings.Builder
	b.WriteString("date,shop,sales\n")
	for i := range 72 {
		for k, shop := range []string{"a", "b"} {
			fmt.Fprintf(&b, "%d-%02d-01,%s,%.2f\n", 2010+i/12, 1+i%12, shop, float64(100*(k+1))+20*math.Sin(float64(i)*math.Pi/6))
		}
	}
	for name, text := range map[string]string{"sales.csv": b.String(), "open.csv": b.String() + "2016-01-01,a,\n2016-02-01,a,\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFitSeries(t *testing.T) {
	t.Chdir(t.TempDir())
	sales(t)
	_, words := command(t, 0, "fit", "sales.csv", "--target", "sales", "--time", "date", "--group", "shop", "--horizon", "3", "--epochs", "4", "--report", "rep")
	if !strings.Contains(words, "RMSE") || !strings.Contains(words, "wrote sales.tarn") {
		t.Errorf("fit says\n%s", words)
	}
	out, _ := command(t, 0, "predict", "sales.tarn", "sales.csv", "--proba")
	if all := records(t, out); len(all) != 7 || fmt.Sprint(all[0]) != "[shop date prediction low high]" || all[1][1] != "2016-01-01" || all[6][0] != "b" || all[6][1] != "2016-03-01" {
		t.Errorf("a forecast: %s", out)
	}
	filled, _ := command(t, 0, "predict", "sales.tarn", "open.csv", "--keep", "date")
	first, second := records(t, out), records(t, filled)
	if len(second) != 147 || second[145][1] != first[1][2] || second[146][1] != first[2][2] {
		t.Errorf("rows without values are answered %v, want those of\n%s", second[145:], out)
	}
	if out, _ := command(t, 0, "evaluate", "sales.tarn", "sales.csv"); !strings.Contains(out, "MAE") {
		t.Errorf("evaluate prints %s", out)
	}
}

// mail writes messages of two kinds to mail.csv.
func mail(t *testing.T) {
	t.Helper()
	var b strings.Builder
	b.WriteString("message,kind,id\n")
	for i := range 60 {
		fmt.Fprintf(&b, "\"%s, dear %d\",%s,%d\n", []string{"win money now", "see you at lunch"}[i%2], i%7, []string{"spam", "ham"}[i%2], i)
	}
	if err := os.WriteFile("mail.csv", []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFitTexts(t *testing.T) {
	t.Chdir(t.TempDir())
	mail(t)
	if _, words := command(t, 0, "fit", "mail.csv", "--target", "kind", "--text", "message", "--epochs", "40"); !strings.Contains(words, "texts to learn") {
		t.Errorf("fit says\n%s", words)
	}
	input(t, "message\n\"win money now, dear 9\"\n\"see you at lunch, dear\"\n")
	if out, _ := command(t, 0, "predict", "mail.tarn"); out != "prediction\nspam\nham\n" {
		t.Errorf("predict prints %s", out)
	}
}
