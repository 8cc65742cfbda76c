package main

// The tests read pictures of one digit in every format and in all kinds of colors, and files that would take much memory.

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/color/palette"
	imagedraw "image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/images"
	"github.com/seed-49005b45/tarn/interop/npy"
)

// painted is a digit of 28 by 28, enlarged, in ink on a ground: each channel is in between as the digit is.
func painted(digit []float32, scale int, ink, ground color.NRGBA64) *image.NRGBA64 {
	img := image.NewNRGBA64(image.Rect(3, 5, 3+28*scale, 5+28*scale)) // not at the origin
	mix := func(a, b uint16, t float32) uint16 { return uint16(float32(a)*t + float32(b)*(1-t)) }
	for y := range 28 * scale {
		for x := range 28 * scale {
			t := digit[y/scale*28+x/scale]
			img.SetNRGBA64(3+x, 5+y, color.NRGBA64{mix(ink.R, ground.R, t), mix(ink.G, ground.G, t), mix(ink.B, ground.B, t), mix(ink.A, ground.A, t)})
		}
	}
	return img
}

// as is a picture as another type.
func as(to imagedraw.Image, from image.Image) image.Image {
	imagedraw.Draw(to, to.Bounds(), from, from.Bounds().Min, imagedraw.Src)
	return to
}

// withOrientation is a JPEG file with an EXIF segment that says how to turn it.
func withOrientation(file []byte, order binary.AppendByteOrder, way uint16) []byte {
	tiff := map[bool]string{true: "II*\x00", false: "MM\x00*"}[order == binary.AppendByteOrder(binary.LittleEndian)]
	exif := order.AppendUint16(order.AppendUint32([]byte("Exif\x00\x00"+tiff), 8), 2)
	for _, entry := range [][2]uint16{{0x0100, 28}, {0x0112, way}} {
		exif = order.AppendUint16(exif, entry[0])
		exif = order.AppendUint16(exif, 3)
		exif = order.AppendUint32(exif, 1)
		exif = order.AppendUint16(exif, entry[1])
		exif = order.AppendUint16(exif, 0)
	}
	segment := append([]byte{0xff, 0xe1}, binary.BigEndian.AppendUint16(nil, uint16(2+len(exif)))...)
	comment := []byte{0xff, 0xfe, 0, 4, 'h', 'i'}
	return bytes.Join([][]byte{file[:2], comment, segment, exif, file[2:]}, nil)
}

// testPictures reads digits in all kinds of pictures with the run in dir.
func testPictures(t *testing.T, dir string) {
	_, test, err := loadMNIST()
	if err != nil {
		t.Fatal(err)
	}
	all, err := test.Tensor("image")
	if err != nil {
		t.Fatal(err)
	}
	files := t.TempDir()
	write := func(content []byte) string {
		f, err := os.CreateTemp(files, "picture")
		if err == nil {
			_, err = f.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		return f.Name()
	}
	encoded := func(encode func(*bytes.Buffer) error) []byte {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	asPNG := func(img image.Image) []byte {
		return encoded(func(b *bytes.Buffer) error { return png.Encode(b, img) })
	}
	asJPEG := func(img image.Image) []byte {
		return encoded(func(b *bytes.Buffer) error { return jpeg.Encode(b, img, &jpeg.Options{Quality: 90}) })
	}
	asGIF := func(img image.Image) []byte {
		return encoded(func(b *bytes.Buffer) error { return gif.Encode(b, img, nil) })
	}
	const full = 0xffff
	white, black, clear, unseen := color.NRGBA64{full, full, full, full}, color.NRGBA64{A: full}, color.NRGBA64{}, color.NRGBA64{full, 0, full, 0}
	yellow, red, green, gray := color.NRGBA64{full, full, 0, full}, color.NRGBA64{R: full, A: full}, color.NRGBA64{G: full, A: full}, color.NRGBA64{0x8000, 0x8000, 0x8000, full}
	pale := color.NRGBA64{0xc000, 0xc000, 0xc000, full}
	digit := func(path string) string {
		out, _ := command(t, 0, "predict", dir, path)
		answer, _, _ := strings.Cut(out, " ")
		return answer
	}
	for _, scale := range []int{1, 3} {
		agree, tries := map[string]int{}, 10
		if testing.Short() {
			tries = 3
		}
		for i := range tries {
			x := all.F32()[i*pixels : (i+1)*pixels]
			on := func(ink, ground color.NRGBA64) *image.NRGBA64 { return painted(x, scale, ink, ground) }
			plain := on(white, black)
			want := digit(write(asPNG(plain)))
			b := image.Rect(0, 0, 28*scale, 28*scale)
			for name, content := range map[string][]byte{
				"black on white": asPNG(on(black, white)), "white on transparent": asPNG(on(white, clear)), "black on transparent": asPNG(on(black, clear)),
				"red on transparent of another color": asPNG(on(red, unseen)), "yellow on white": asPNG(on(yellow, white)), "white on yellow": asPNG(on(white, yellow)),
				"red on green": asPNG(on(red, green)), "gray on black": asPNG(on(gray, black)), "pale on white": asPNG(on(pale, white)), "transparent on white": asPNG(on(color.NRGBA64{full, full, full, 0}, white)),
				"8 bit": asPNG(as(image.NewNRGBA(b), plain)), "gray 8": asPNG(as(image.NewGray(b), plain)), "gray 16": asPNG(as(image.NewGray16(b), plain)),
				"palette": asPNG(as(image.NewPaletted(b, palette.Plan9), on(black, white))), "two colors": asGIF(as(image.NewPaletted(b, color.Palette{color.White, color.Black}), on(black, white))),
				"jpeg": asJPEG(plain), "dark jpeg": asJPEG(on(black, white)), "gray jpeg": asJPEG(as(image.NewGray(b), plain)), "gif": asGIF(on(black, white)),
			} {
				if digit(write(content)) == want {
					agree[name]++
				}
			}
		}
		for _, name := range []string{"black on white", "white on transparent", "black on transparent", "yellow on white", "white on yellow", "red on green", "gray on black", "pale on white",
			"red on transparent of another color", "transparent on white", "8 bit", "gray 8", "gray 16", "palette", "two colors", "jpeg", "dark jpeg", "gray jpeg", "gif"} {
			least := tries
			if strings.Contains(name, "jpeg") || name == "palette" || name == "two colors" || name == "gif" {
				least-- // they change the picture
			}
			if agree[name] < least {
				t.Errorf("scale %d: %d of %d digits are read %s as they are white on black", scale, agree[name], tries, name)
			}
		}
	}

	// Orientation is ignored, with words.
	x := all.F32()[:pixels]
	file := asJPEG(painted(x, 5, black, white))
	want := digit(write(file))
	for way := range uint16(10) {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			path := write(withOrientation(file, order, way))
			out, words := command(t, 0, "predict", dir, path)
			if !strings.HasPrefix(out, want) || (way > 1) != strings.Contains(words, path+" says that it is to be shown turned") {
				t.Errorf("orientation %d: %s%s", way, out, words)
			}
		}
	}
	for n := range len(withOrientation(file, binary.LittleEndian, 6)[:120]) {
		images.Orientation(withOrientation(file, binary.LittleEndian, 6)[:n]) // must not panic
	}

	// Arrays with dark ink are inverted.
	inverted := make([]float32, pixels)
	for i, v := range x {
		inverted[i] = 1 - v
	}
	dark := filepath.Join(files, "dark.npy")
	if err := npy.Save(dark, data.Array{Shape: []int{28, 28}, Data: inverted}); err != nil {
		t.Fatal(err)
	}
	if got := digit(dark); got != want {
		t.Errorf("a dark array is read as %s, want %s", got, want)
	}

	flat := func(w, h int, c color.Color) image.Image {
		return as(image.NewNRGBA(image.Rect(0, 0, w, h)), &image.Uniform{c})
	}
	noise := image.NewGray(image.Rect(0, 0, 50, 50))
	for i := range noise.Pix {
		noise.Pix[i] = 128 + uint8(i*i%7)
	}
	packedIDX := func(n uint32) []byte { return binary.BigEndian.AppendUint32([]byte("\x00\x00\x08\x01"), n) }
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"blank":                  {asPNG(flat(100, 80, color.White)), "nothing to read"},
		"blank 28 by 28":         {asPNG(flat(28, 28, color.Black)), "nothing to read"},
		"blank and transparent":  {asPNG(flat(28, 28, color.Transparent)), "nothing to read"},
		"one pixel":              {asPNG(flat(1, 1, color.White)), "nothing to read"},
		"noise":                  {asPNG(noise), "nothing to read"},
		"blank jpeg":             {asJPEG(flat(300, 300, color.White)), "nothing to read"},
		"blank array":            {append(append(packedIDX(2 * 784)[:3], 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28), append(bytes.Repeat([]byte{0, 255}, 392), make([]byte, 784)...)...), "image 2 of 2 is empty"},
		"huge":                   {emptyPNG(1<<16, 1<<16), "the picture is 65536 by 65536 pixels, more than the 33554432 that --limit allows"},
		"wide":                   {emptyPNG(math.MaxInt32, 1), "more than the 33554432"},
		"a large array":          {packedIDX(1 << 29), "--limit is 256 MiB"},
		"empty":                  {nil, "the file is empty"},
		"cut":                    {asPNG(painted(x, 5, black, white))[:200], "not enough pixel data"},
		"text":                   {[]byte("digit"), "neither IDX nor npy nor PNG, JPEG, GIF or WebP"},
		"a webp header":          {[]byte("RIFF\x24\x00\x00\x00WEBPVP8 \x18\x00\x00\x00"), "EOF"},
		"a jpeg of no size":      {[]byte("\xff\xd8\xff\xe0\x00\x10JFIF"), "EOF"},
		"a gif that ends":        {[]byte("GIF89a\x10\x00\x10\x00"), "EOF"},
		"a gif of no size":       {[]byte("GIF89a\x00\x00\x00\x00\x00\x00\x00;"), "it is empty"},
		"a png with a wrong sum": {append(asPNG(flat(2, 2, color.White))[:29], 0, 0, 0, 0), "invalid"},
	} {
		var before, after runtime.MemStats
		path := write(c.file)
		runtime.ReadMemStats(&before)
		out, words := command(t, 1, "predict", dir, path)
		runtime.ReadMemStats(&after)
		if out != "" || !strings.Contains(words, path) || !strings.Contains(words, c.want) {
			t.Errorf("%s: %s%s, want %q", name, out, words, c.want)
		}
		if taken := (after.TotalAlloc - before.TotalAlloc) >> 20; taken > 30 {
			t.Errorf("%s: %d MiB of memory", name, taken)
		}
	}
	if _, words := command(t, 1, "predict", dir, "--limit", "1", write(asPNG(flat(400, 400, color.White)))); !strings.Contains(words, "more than the 131072 that --limit allows") {
		t.Errorf("with a limit: %s", words)
	}

	// The largest picture that is read takes no more than its limit suggests.
	var before, after runtime.MemStats
	path := write(emptyPNG(5792, 5792))
	runtime.ReadMemStats(&before)
	_, words := command(t, 1, "predict", dir, path)
	runtime.ReadMemStats(&after)
	if taken := (after.TotalAlloc - before.TotalAlloc) >> 20; taken > 300 || !strings.Contains(words, "nothing to read") {
		t.Errorf("a large picture: %d MiB of memory, %s", taken, words)
	}
}

// emptyPNG is a black picture in a few kilobytes; a very large one ends after its first pixels.
func emptyPNG(w, h int) []byte {
	file := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(name string, content []byte) {
		file = binary.BigEndian.AppendUint32(file, uint32(len(content)))
		content = append([]byte(name), content...)
		file = binary.BigEndian.AppendUint32(append(file, content...), crc32.ChecksumIEEE(content))
	}
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(w)), uint32(h))
	chunk("IHDR", append(header, 8, 0, 0, 0, 0))
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	if w*h < 1<<26 {
		z.Write(make([]byte, h*(w+1)))
	}
	z.Close()
	chunk("IDAT", b.Bytes())
	chunk("IEND", nil)
	return file
}
