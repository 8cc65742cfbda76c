package images_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/images"
	"github.com/seed-49005b45/tarn/data/table"
)

// halves is a picture that is red on the left and blue on the right, not at the origin.
func halves(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(3, 5, 3+w, 5+h))
	for y := range h {
		for x := range w {
			c := color.NRGBA{255, 0, 0, 255}
			if x >= w/2 {
				c = color.NRGBA{0, 0, 255, 255}
			}
			img.SetNRGBA(3+x, 5+y, c)
		}
	}
	return img
}

func asPNG(img image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func asJPEG(img image.Image) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 100}); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func asGIF(img image.Image) []byte {
	p := image.NewPaletted(img.Bounds(), palette.WebSafe)
	draw.Draw(p, p.Rect, img, p.Rect.Min, draw.Src)
	var b bytes.Buffer
	if err := gif.Encode(&b, p, nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// webps are red and blue halves of 4 by 2 pixels, without loss and with.
var webps = [][]byte{
	unhex("5249464622000000574542505650384c160000002f034000000f10f3bffff31f0e140208808226a2fff1"),
	unhex("524946466c000000574542505650382060000000f003009d012a0400020000000025a80274ba01f801f8014a03f002b403f8065007e8002ddacbc2c000feffff50c7ff8bd03ff9a30a0fffbcecf5469084cffe30dbfde767aa3484267fff186dffde4ed26601777f79883101805ddffebc000000"),
}

// turnedAs is a JPEG file that is to be turned.
func turnedAs(file []byte, way uint16) []byte {
	exif := append([]byte("Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01"), 0, byte(way), 0, 0, 0, 0, 0, 0)
	out := append([]byte{}, file[:2]...)
	out = append(out, 0xff, 0xe1)
	out = binary.BigEndian.AppendUint16(out, uint16(len(exif)+2))
	return append(append(out, exif...), file[2:]...)
}

// TestDecode compares images of two colors with what they show, in all formats, ways to fit and orientations.
func TestDecode(t *testing.T) {
	const r, b, k, w = 'r', 'b', 'k', 'w' // red, blue, black, white
	clear := halves(4, 4)
	for i := range 16 {
		clear.Pix[4*i+3] = 0
	}
	for _, c := range []struct {
		name string
		file []byte
		o    images.Options
		want string // the corners
	}{
		{"png", asPNG(halves(40, 20)), images.Options{Height: 8, Width: 8}, "rbrb"},
		{"jpeg", asJPEG(halves(48, 32)), images.Options{Height: 8, Width: 8}, "rbrb"},
		{"gif", asGIF(halves(40, 20)), images.Options{Height: 4, Width: 8}, "rbrb"},
		{"webp without loss", webps[0], images.Options{Height: 2, Width: 4}, "rbrb"},
		{"webp", webps[1], images.Options{Height: 2, Width: 4, Fit: images.Stretch}, "rbrb"},
		{"enlarged", asPNG(halves(2, 1)), images.Options{Height: 16, Width: 16, Fit: images.Stretch}, "rbrb"},
		{"transparent", asPNG(clear), images.Options{Height: 4, Width: 4}, "wwww"},
		{"wide, contained", asPNG(halves(40, 10)), images.Options{Height: 8, Width: 8, Fit: images.Contain}, "kkkk"},
		{"high, contained", asPNG(halves(10, 40)), images.Options{Height: 8, Width: 8, Fit: images.Contain}, "kkkk"},
		{"high, covering", asPNG(halves(10, 40)), images.Options{Height: 8, Width: 8}, "rbrb"},
		{"turned 1", turnedAs(asJPEG(halves(64, 32)), 1), images.Options{Height: 8, Width: 8}, "rbrb"},
		{"turned 2", turnedAs(asJPEG(halves(64, 32)), 2), images.Options{Height: 8, Width: 8}, "brbr"},
		{"turned 3", turnedAs(asJPEG(halves(64, 32)), 3), images.Options{Height: 8, Width: 8}, "brbr"},
		{"turned 4", turnedAs(asJPEG(halves(64, 32)), 4), images.Options{Height: 8, Width: 8}, "rbrb"},
		{"turned 5", turnedAs(asJPEG(halves(64, 32)), 5), images.Options{Height: 16, Width: 8}, "rrbb"},
		{"turned 6", turnedAs(asJPEG(halves(64, 32)), 6), images.Options{Height: 16, Width: 8}, "rrbb"},
		{"turned 7", turnedAs(asJPEG(halves(64, 32)), 7), images.Options{Height: 16, Width: 8}, "bbrr"},
		{"turned 8", turnedAs(asJPEG(halves(64, 32)), 8), images.Options{Height: 16, Width: 8}, "bbrr"},
	} {
		c.o.Mean, c.o.Std = []float64{0, 0, 0}, []float64{1, 1, 1}
		x, err := c.o.Decode(c.file)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		shape := c.o.Shape()
		got := ""
		for _, y := range []int{0, shape[0] - 1} {
			for _, at := range []int{0, shape[1] - 1} {
				p := x[(y*shape[1]+at)*3:]
				switch {
				case p[0] > 0.9 && p[2] < 0.1:
					got += string(r)
				case p[0] < 0.1 && p[2] > 0.9:
					got += string(b)
				case p[0] < 0.1 && p[2] < 0.1:
					got += string(k)
				case p[0] > 0.9 && p[1] > 0.9 && p[2] > 0.9:
					got += string(w)
				default:
					got += fmt.Sprint(p[:3])
				}
			}
		}
		if got != c.want {
			t.Errorf("%s: corners %s, want %s", c.name, got, c.want)
		}
	}
	x, err := images.Options{Height: 2, Width: 2, Gray: true}.Decode(asPNG(halves(2, 2)))
	if err != nil || len(x) != 4 || math.Abs(float64(x[0])-(2*76./255-1)) > 1e-6 {
		t.Errorf("gray: %v %v", x, err)
	}
}

// bomb is the head of a PNG file of a huge picture.
func bomb(w, h uint32) []byte {
	head := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d")
	chunk := []byte("IHDR")
	chunk = binary.BigEndian.AppendUint32(chunk, w)
	chunk = binary.BigEndian.AppendUint32(chunk, h)
	chunk = append(chunk, 8, 2, 0, 0, 0)
	return binary.BigEndian.AppendUint32(append(head, chunk...), crc32.ChecksumIEEE(chunk))
}

// TestHostile expects files that are no pictures to be refused with their names, from a batch.
func TestHostile(t *testing.T) {
	whole := asPNG(halves(30, 30))
	large := append(append([]byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00"), make([]byte, 10)...), []byte("VP8L\x05\x00\x00\x00\x2f\xff\xff\xff\x0f\x00")...) // a canvas of 1 by 1 around a frame of 16384 by 16384
	binary.LittleEndian.PutUint32(large[4:], uint32(len(large)-8))
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty.png":   {nil, "the file is empty"},
		"text.png":    {[]byte("what is this"), "neither PNG, JPEG, GIF nor WebP"},
		"cut.png":     {whole[:len(whole)/2], "the picture is damaged"},
		"bomb.png":    {bomb(1<<20, 1<<20), "1048576 by 1048576 pixels, more than the 1000000 that are allowed"},
		"large.png":   {asPNG(halves(2000, 501)), "2000 by 501 pixels, more than"},
		"zero.png":    {bomb(0, 5), ""},
		"frame.webp":  {large, "16384 by 16384 pixels, more than"},
		"toolong.png": {make([]byte, 1<<16+1), "65536"},
		"cut.jpg":     {asJPEG(halves(30, 30))[:300], ""},
		"cut.gif":     {asGIF(halves(30, 30))[:60], ""},
		"cut.webp":    {webps[1][:40], ""},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "kind", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, c.file, 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := images.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		set, err := f.Set(images.Options{Height: 8, Width: 8, MaxPixels: 1_000_000, MaxBytes: 1 << 16})
		if err != nil {
			t.Fatal(err)
		}
		var last error
		for _, err := range set.Batches(1, data.Options{}).All(context.Background()) {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), name) || !strings.Contains(last.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, last, c.want)
		}
	}
	// Any cut and any flipped byte must be an error or a picture, and never a panic.
	for _, file := range [][]byte{whole, asJPEG(halves(16, 16)), asGIF(halves(16, 16)), webps[0], webps[1]} {
		for i := range file {
			images.Options{MaxPixels: 1 << 16}.Decode(file[:i])
			broken := slices.Clone(file)
			broken[i] ^= 0xff
			images.Options{MaxPixels: 1 << 16, Height: 4, Width: 4}.Decode(broken)
		}
	}
}

// photos writes pictures of two classes, and other files.
func photos(t testing.TB, n int) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, content []byte) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		img := halves(20+i, 16)
		for p := 0; p < len(img.Pix); p += 4 {
			img.Pix[p+1] = uint8(5 * i)
		}
		write(fmt.Sprintf("cat/%02d.png", i), asPNG(img))
		write(fmt.Sprintf("dog/more/%02d.JPG", i), asJPEG(img))
	}
	write("cat/notes.txt", []byte("cats"))
	write(".hidden/1.png", asPNG(halves(4, 4)))
	write("dog/.thumbs/1.png", asPNG(halves(4, 4)))
	write("read.me", nil)
	write("horse/photo.tiff", nil)
	return dir
}

func TestFolder(t *testing.T) {
	dir := photos(t, 10)
	f, err := images.Open(dir)
	if err != nil || len(f.Paths) != 20 || !slices.Equal(f.Classes, []string{"cat", "dog"}) || f.Skipped != 3 || !slices.Equal(f.Counts(), []int{10, 10}) {
		t.Fatalf("%+v %v", f, err)
	}
	if got := strings.Join(f.Notes, "; "); !strings.Contains(got, `the folder "horse" has no pictures`) || !strings.Contains(got, "left out: 3 files") || !strings.Contains(got, "notes.txt") {
		t.Errorf("the notes are %s", got)
	}
	learn, judge, err := f.Split(0.3, 1)
	if err != nil || !slices.Equal(learn.Counts(), []int{7, 7}) || !slices.Equal(judge.Counts(), []int{3, 3}) {
		t.Errorf("%+v %+v %v", learn, judge, err)
	}
	both := slices.Sorted(slices.Values(slices.Concat(learn.Paths, judge.Paths)))
	if !slices.Equal(both, f.Paths) {
		t.Errorf("a split loses pictures: %v", both)
	}
	tab, err := table.New(table.Words("file", "cat/01.png", "dog/more/02.JPG", "cat/03.png"), table.Words("animal", "Felis", "Canis", ""))
	if err != nil {
		t.Fatal(err)
	}
	named, err := images.OpenTable(dir, tab, "file", "animal")
	if err != nil || !slices.Equal(named.Classes, []string{"Canis", "Felis"}) || !slices.Equal(named.Labels, []int32{1, 0}) || named.Skipped != 1 {
		t.Errorf("%+v %v", named, err)
	}
	words := func(name, label string) *table.Table {
		tab, err := table.New(table.Words("file", name), table.Words("animal", label))
		if err != nil {
			t.Fatal(err)
		}
		return tab
	}
	for name, c := range map[string]struct {
		f    func() error
		want string
	}{
		"no folder":  {func() error { _, err := images.Open(filepath.Join(dir, "none")); return err }, "none"},
		"no classes": {func() error { _, err := images.Open(filepath.Join(dir, "cat")); return err }, "has no folders with pictures"},
		"no column":  {func() error { _, err := images.OpenTable(dir, tab, "path", "animal"); return err }, `there is no column "path"`},
		"no name":    {func() error { _, err := images.OpenTable(dir, words("", "a"), "file", "animal"); return err }, `column "file": there is no name`},
		"outside":    {func() error { _, err := images.OpenTable(dir, words("../x.png", "a"), "file", "animal"); return err }, "is not within"},
		"absent":     {func() error { _, err := images.OpenTable(dir, words("x.png", "a"), "file", "animal"); return err }, "there is no picture"},
		"no class":   {func() error { _, err := images.OpenTable(dir, words("cat/01.png", ""), "file", "animal"); return err }, "no row"},
		"share":      {func() error { _, _, err := f.Split(1, 0); return err }, "a share of 1"},
		"labels":     {func() error { _, err := (&images.Folder{Paths: []string{"a"}}).Set(images.Options{}); return err }, "1 pictures and 0 labels"},
		"label": {func() error {
			_, err := (&images.Folder{Paths: []string{"a"}, Labels: []int32{2}}).Set(images.Options{})
			return err
		}, "the label 2"},
		"size":  {func() error { _, err := f.Set(images.Options{Width: -1}); return err }, "-1 by 64"},
		"fit":   {func() error { _, err := f.Set(images.Options{Fit: 9}); return err }, "Fit is 9"},
		"limit": {func() error { _, err := f.Set(images.Options{MaxPixels: -1}); return err }, "limit is negative"},
		"means": {func() error {
			_, err := f.Set(images.Options{Gray: true, Mean: []float64{0, 0}, Std: []float64{1, 1}})
			return err
		}, "2 means"},
		"deviation": {func() error {
			_, err := f.Set(images.Options{Gray: true, Mean: []float64{0}, Std: []float64{0}})
			return err
		}, "deviation 0"},
		"crop":        {func() error { _, err := f.Set(images.Options{Crop: &images.ResizedCrop{Least: 2}}); return err }, "ResizedCrop"},
		"jitter":      {func() error { _, err := f.Set(images.Options{Jitter: &images.ColorJitter{Hue: 1}}); return err }, "ColorJitter"},
		"decode what": {func() error { _, err := images.Options{Width: -1}.Decode(nil); return err }, "-1 by 64"},
	} {
		if err := c.f(); err == nil || !strings.HasPrefix(err.Error(), "images: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// TestSet expects the same batches at any number of goroutines, other images in each epoch, and what does not change when nothing is random.
func TestSet(t *testing.T) {
	f, err := images.Open(photos(t, 8))
	if err != nil {
		t.Fatal(err)
	}
	set, err := f.Set(images.Options{Height: 12, Width: 10, Crop: &images.ResizedCrop{}, Jitter: &images.ColorJitter{Brightness: 0.4, Contrast: 0.4, Saturation: 0.4, Hue: 0.1}})
	if err != nil {
		t.Fatal(err)
	}
	if set, err = set.Transform("image", data.RandomFlip{}, images.RandomRotation{Degrees: 20}, images.RandomErasing{}); err != nil {
		t.Fatal(err)
	}
	if set, err = set.Mix("image", "label", "shares", 2, images.MixUp{}, images.CutMix{}); err != nil {
		t.Fatal(err)
	}
	run := func(workers int, o data.Options) (epochs []string) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(workers))
		epochs = make([]string, 2)
		for b, err := range set.Batches(5, o).All(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			epochs[b.Position.Epoch] += fmt.Sprint(b.Tensor("image").Floats(), b.Tensor("shares").Floats())
		}
		return epochs
	}
	o := data.Options{Seed: 3, Epochs: 2}
	want := run(1, o)
	if want[0] == want[1] {
		t.Error("two epochs have the same images")
	}
	for _, workers := range []int{2, 7} {
		if got := run(workers, o); !slices.Equal(got, want) {
			t.Errorf("%d workers make other images", workers)
		}
	}
	later := o
	later.Start = data.Position{Epoch: 1}
	if got := run(3, later); got[1] != want[1] {
		t.Error("resumed in the second epoch, the images are others")
	}
	var kept []string // in no memory to speak of, in some, and in enough
	for _, keep := range []int64{1, 4000, 1 << 30} {
		set, err := f.Set(images.Options{Height: 6, Width: 6, Crop: &images.ResizedCrop{Least: 0.5}, Keep: keep})
		if err != nil {
			t.Fatal(err)
		}
		all := ""
		for b, err := range set.Batches(5, o).All(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			all += fmt.Sprint(b.Tensor("image").Floats())
		}
		kept = append(kept, all)
	}
	if kept[0] != kept[1] || kept[0] != kept[2] {
		t.Error("the images depend on how many are kept")
	}
	x, err := set.Tensor("image")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(f.Paths[3])
	if err != nil {
		t.Fatal(err)
	}
	plain, err := images.Options{Height: 12, Width: 10}.Decode(file)
	if err != nil || !slices.Equal(x.F32()[3*360:4*360], plain) {
		t.Errorf("Decode and Tensor differ, %v", err)
	}
}

// TestTransforms checks each transform by what must be true of its results.
func TestTransforms(t *testing.T) {
	const n, height, width = 400, 9, 8
	x := make([]float32, n*height*width*3)
	for i := range x {
		x[i] = 1 + float32(i%(height*width*3))/1000
	}
	plain, err := data.NewSet(data.Field{Name: "x", Array: data.Array{Shape: []int{n, height, width, 3}, Data: x}},
		data.Field{Name: "label", Array: data.Array{Shape: []int{n}, Data: make([]int32, n)}})
	if err != nil {
		t.Fatal(err)
	}
	changed := func(transforms ...data.Transform) []float32 {
		set, err := plain.Transform("x", transforms...)
		if err != nil {
			t.Fatal(err)
		}
		for b, err := range set.Batches(n, data.Options{Seed: 1}).All(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			return slices.Clone(b.Tensor("x").F32())
		}
		return nil
	}
	if got := changed(images.RandomRotation{}); !slices.Equal(got, x) {
		t.Error("a rotation by 0 degrees changes images")
	}
	turned := changed(images.RandomRotation{Degrees: 30})
	at := func(p []float32, i, y, x int) []float32 {
		return p[((i*height+y)*width+x)*3 : ((i*height+y)*width+x)*3+3]
	}
	for i := range n {
		middle := (at(turned, i, 4, 3)[0] + at(turned, i, 4, 4)[0]) / 2 // the middle stays, and this image is linear in its coordinates
		if want := (at(x, i, 4, 3)[0] + at(x, i, 4, 4)[0]) / 2; math.Abs(float64(middle-want)) > 1e-5 {
			t.Fatalf("the middle of image %d is %v, want %v", i, middle, want)
		}
	}
	erased := changed(images.RandomErasing{Probability: 0.25})
	hit, area := 0, 0.0
	for i := range n {
		zeros := 0
		for p := range height * width {
			if erased[(i*height*width+p)*3] == 0 {
				zeros++
			}
		}
		if zeros > 0 {
			hit++
			area += float64(zeros) / (height * width)
		}
	}
	if hit < n/6 || hit > n/3 || area/float64(hit) < 0.05 || area/float64(hit) > 0.35 {
		t.Errorf("%d of %d images are erased, %v of them", hit, n, area/float64(hit))
	}
	for _, m := range []data.Mixer{images.MixUp{Alpha: 1}, images.CutMix{}} {
		for i := range 50 {
			set, err := plain.Mix("x", "label", "shares", 1, checked{m, func(d *data.Draws) {
				a, b := make([]float32, 192), make([]float32, 192)
				for k := range a {
					a[k] = 1
				}
				share := m.Mix([]int{8, 8, 3}, a, b, d)
				sum := 0.0
				for _, v := range a {
					sum += float64(v) / 192
				}
				if math.Abs(sum-share) > 1e-6 {
					t.Errorf("%T: the image has a share of %v, and its label %v", m, sum, share)
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			for range set.Batches(1, data.Options{Seed: uint64(i), Prefetch: -1}).All(context.Background()) {
				break
			}
		}
	}
	for name, c := range map[string]data.Transform{"Degrees": images.RandomRotation{Degrees: -1}, "shares": images.RandomErasing{Probability: 2}} {
		if _, err := plain.Transform("x", c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: %v", c, err)
		}
		if _, err := plain.Transform("label", c); err == nil {
			t.Errorf("%T changes labels", c)
		}
	}
}

// checked calls f once with draws.
type checked struct {
	data.Mixer
	f func(d *data.Draws)
}

func (c checked) Mix(_ []int, _, _ []float32, d *data.Draws) float64 {
	c.f(d)
	return 1
}

// TestJitter expects factors of 1 to change nothing, brightness to multiply, and hue to keep the lightest and the darkest channel.
func TestJitter(t *testing.T) {
	dir := t.TempDir()
	img := image.NewNRGBA(image.Rect(0, 0, 4, 4))
	for i := range 16 {
		img.SetNRGBA(i%4, i/4, color.NRGBA{200, 100, uint8(10 * i), 255})
	}
	os.MkdirAll(filepath.Join(dir, "a"), 0o755)
	if err := os.WriteFile(filepath.Join(dir, "a", "1.png"), asPNG(img), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := images.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	pixels := func(j *images.ColorJitter, seed uint64) []float32 {
		set, err := f.Set(images.Options{Height: 4, Width: 4, Jitter: j, Mean: []float64{0, 0, 0}, Std: []float64{1. / 255, 1. / 255, 1. / 255}})
		if err != nil {
			t.Fatal(err)
		}
		for b, err := range set.Batches(1, data.Options{Seed: seed}).All(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			return slices.Clone(b.Tensor("image").F32())
		}
		return nil
	}
	plain := pixels(nil, 1)
	if !slices.Equal(pixels(&images.ColorJitter{}, 1), plain) {
		t.Error("no jitter changes the image")
	}
	for seed := range uint64(20) {
		bright := pixels(&images.ColorJitter{Brightness: 0.2}, seed)
		factor := bright[0] / plain[0]
		if factor < 0.79 || factor > 1.21 {
			t.Errorf("brightness changes by %v", factor)
		}
		hue := pixels(&images.ColorJitter{Hue: 0.5}, seed)
		contrast := pixels(&images.ColorJitter{Contrast: 0.3}, seed)
		gray := pixels(&images.ColorJitter{Saturation: 1}, seed)
		var before, after float64
		for i := 0; i < len(plain); i += 3 {
			if math.Abs(float64(bright[i+1]-factor*plain[i+1])) > 1 {
				t.Errorf("brightness: %v of %v, want a factor of %v", bright[i+1], plain[i+1], factor)
			}
			p, q := plain[i:i+3], hue[i:i+3]
			if math.Abs(float64(max(p[0], p[1], p[2])-max(q[0], q[1], q[2]))) > 1 || math.Abs(float64(min(p[0], p[1], p[2])-min(q[0], q[1], q[2]))) > 1 {
				t.Errorf("hue: %v becomes %v", p, q)
			}
			luma := func(p []float32) float64 { return 0.299*float64(p[0]) + 0.587*float64(p[1]) + 0.114*float64(p[2]) }
			if math.Abs(luma(p)-luma(gray[i:])) > 1.5 && slices.Max(gray[i:i+3]) < 255 && slices.Min(gray[i:i+3]) > 0 {
				t.Errorf("saturation changes the lightness of %v to %v", p, gray[i:i+3])
			}
			before, after = before+luma(p), after+luma(contrast[i:])
		}
		if math.Abs(before-after)/16 > 2 {
			t.Errorf("contrast changes the mean from %v to %v", before/16, after/16)
		}
	}
}
