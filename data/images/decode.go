package images

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"math"
	"sync"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/internal/file"
)

// This file makes an image of a fixed size of the bytes of a picture.

// Fit says how a picture comes to a size of other proportions.
type Fit uint8

// The ways to fit.
const (
	Cover   Fit = iota // scale it until it covers the image, and cut off what is beyond the edges
	Stretch            // scale its sides differently
	Contain            // scale it until all of it is in the image, and leave black margins
)

// Options say what becomes of a picture. The zero value makes 64 by 64 pixels of three channels.
type Options struct {
	Height, Width int // of the image in pixels; 0 means 64
	Gray          bool
	Fit           Fit
	Mean, Std     []float64 // of each channel, of values from 0 to 1; nil means 0.5 and 0.5, so that the image has values from -1 to 1. See ImageNet

	// What changes at random in batches, before the values are normalized, differently in each epoch. Transforms of the field, such as data.RandomFlip, come after that.
	Crop   *ResizedCrop
	Jitter *ColorJitter

	// Keep is the number of bytes of memory in which a data set keeps pictures that it has decoded, until it is full. If it is not 0, large pictures are first made
	// smaller, to 5/4 of what is needed without Crop, kept or not.
	Keep int64

	MaxPixels int   // of a picture; 0 means 1<<26
	MaxBytes  int64 // of a file; 0 means 64 MiB
}

// ImageNet are the means and deviations that networks from ImageNet expect.
var ImageNet = struct{ Mean, Std []float64 }{[]float64{0.485, 0.456, 0.406}, []float64{0.229, 0.224, 0.225}}

// filled returns the options with what they leave open.
func (o Options) filled() (Options, error) {
	if o.Height == 0 {
		o.Height = 64
	}
	if o.Width == 0 {
		o.Width = 64
	}
	if o.MaxPixels == 0 {
		o.MaxPixels = 1 << 26
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 64 << 20
	}
	if o.Mean == nil && o.Std == nil {
		for range o.channels() {
			o.Mean, o.Std = append(o.Mean, 0.5), append(o.Std, 0.5)
		}
	}
	const most = 1 << 14
	switch {
	case o.Height < 1 || o.Height > most || o.Width < 1 || o.Width > most:
		return o, fmt.Errorf("images: images of %d by %d pixels: want 1 to %d", o.Width, o.Height, most)
	case o.Fit > Contain:
		return o, fmt.Errorf("images: Fit is %d, which is neither Cover, Stretch nor Contain", o.Fit)
	case o.MaxPixels < 1 || o.MaxBytes < 1 || o.Keep < 0:
		return o, errors.New("images: a limit is negative")
	case len(o.Mean) != o.channels() || len(o.Std) != o.channels():
		return o, fmt.Errorf("images: %d means and %d deviations for %d channels", len(o.Mean), len(o.Std), o.channels())
	}
	for i, s := range o.Std {
		if !(s > 0) || math.IsInf(s, 1) || math.IsNaN(o.Mean[i]) || math.IsInf(o.Mean[i], 0) {
			return o, fmt.Errorf("images: mean %v and deviation %v: want finite numbers, the deviation above 0", o.Mean[i], s)
		}
	}
	if o.Crop != nil {
		if err := o.Crop.check(); err != nil {
			return o, err
		}
	}
	if o.Jitter != nil {
		if err := o.Jitter.check(); err != nil {
			return o, err
		}
	}
	return o, nil
}

func (o Options) channels() int {
	if o.Gray {
		return 1
	}
	return 3
}

// Shape returns the shape of an image: height, width and channels.
func (o Options) Shape() []int {
	o, _ = o.filled()
	return []int{o.Height, o.Width, o.channels()}
}

// moments returns what normalizes an image.
func (o Options) moments() data.Moments {
	m := data.Moments{}
	for range o.Height * o.Width {
		for c := range o.channels() {
			m.Mean, m.Std = append(m.Mean, 255*o.Mean[c]), append(m.Std, 255*o.Std[c])
		}
	}
	return m
}

// Decode makes a normalized image of Shape of the bytes of a PNG, JPEG, GIF or WebP picture, with nothing random about it. Of several frames it takes the first one.
// A picture is turned as its EXIF data says, and what is transparent becomes white.
func (o Options) Decode(picture []byte) ([]float32, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	pixels := make([]uint8, o.Height*o.Width*o.channels())
	if err := o.decode(picture, pixels); err != nil {
		return nil, fmt.Errorf("images: %w", err)
	}
	values := make([]float32, len(pixels))
	for i, v := range pixels {
		c := i % o.channels()
		values[i] = float32((float64(v) - 255*o.Mean[c]) / (255 * o.Std[c]))
	}
	return values, nil
}

// loader loads pictures, and keeps some of them.
type loader struct {
	Options
	paths []string
	mu    sync.Mutex
	kept  map[int]*picture
	left  int64 // bytes
}

// load decodes the file of a row.
func (l *loader) load(row int, d *data.Draws, to []uint8) error {
	var p *picture
	if l.Keep > 0 {
		l.mu.Lock()
		p = l.kept[row]
		l.mu.Unlock()
	}
	if p == nil {
		content, err := file.Read(l.paths[row], l.MaxBytes)
		if err == nil {
			p, err = l.read(content)
		}
		if err != nil {
			return fmt.Errorf("images: %s: %w; replace or remove the file", file.Name(l.paths[row]), err)
		}
		if l.Keep > 0 {
			p = l.shrink(p)
			l.mu.Lock()
			if b := p.img.Bounds(); l.kept[row] == nil && l.left >= 4*int64(b.Dx())*int64(b.Dy()) {
				l.left -= 4 * int64(b.Dx()) * int64(b.Dy())
				l.kept[row] = p
			}
			l.mu.Unlock()
		}
	}
	l.place(p, d, to)
	return nil
}

// picture is a picture as it was decoded, and how it is to be turned.
type picture struct {
	img image.Image
	how int
}

// shrink makes a picture smaller that is much larger than needed.
func (o Options) shrink(p *picture) *picture {
	height, width := o.Height, o.Width
	if p.how > 4 {
		height, width = width, height
	}
	b := p.img.Bounds()
	by := 1.25 * max(float64(width)/float64(b.Dx()), float64(height)/float64(b.Dy()))
	if by >= 1 {
		by = 1
	}
	small := image.NewRGBA(image.Rect(0, 0, max(1, int(math.Round(by*float64(b.Dx())))), max(1, int(math.Round(by*float64(b.Dy()))))))
	draw.BiLinear.Scale(small, small.Rect, p.img, b, draw.Src, nil)
	return &picture{small, p.how}
}

// decode writes the pixels of a picture to to, with nothing random about it.
func (o Options) decode(content []byte, to []uint8) error {
	p, err := o.read(content)
	if err == nil {
		o.place(p, nil, to)
	}
	return err
}

// read decodes a picture.
func (o Options) read(content []byte) (p *picture, err error) {
	defer func() {
		if p := recover(); p != nil { // of a decoder, at bytes that its author did not think of
			err = fmt.Errorf("the picture is damaged: %v", p)
		}
	}()
	if len(content) == 0 {
		return nil, errors.New("the file is empty")
	}
	c, _, err := image.DecodeConfig(bytes.NewReader(content))
	if err == nil {
		err = o.size(c.Width, c.Height)
	}
	if err == nil && bytes.HasPrefix(content, []byte("RIFF")) {
		err = o.frames(content)
	}
	if errors.Is(err, image.ErrFormat) {
		err = errors.New("this is neither PNG, JPEG, GIF nor WebP")
	}
	if err != nil {
		return nil, err
	}
	img, _, err := image.Decode(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("the picture is damaged: %w", err)
	}
	if img.Bounds().Empty() {
		return nil, errors.New("the picture has no pixels")
	}
	return &picture{img, Orientation(content)}, nil
}

// place makes an image of a picture.
func (o Options) place(p *picture, d *data.Draws, to []uint8) {
	img, how := p.img, p.how
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	height, width := o.Height, o.Width
	if how > 4 {
		height, width = width, height // until it is turned
	}
	from, into := image.Rect(0, 0, w, h), image.Rect(0, 0, width, height)
	if o.Crop != nil && d != nil {
		from = o.Crop.draw(d, w, h)
	} else {
		switch fw, fh := float64(w)/float64(width), float64(h)/float64(height); {
		case o.Fit == Cover && fw > fh:
			cut := max(1, int(math.Round(fh*float64(width))))
			from = image.Rect((w-cut)/2, 0, (w-cut)/2+cut, h)
		case o.Fit == Cover:
			cut := max(1, int(math.Round(fw*float64(height))))
			from = image.Rect(0, (h-cut)/2, w, (h-cut)/2+cut)
		case o.Fit == Contain && fw > fh:
			kept := max(1, int(math.Round(float64(h)/fw)))
			into = image.Rect(0, (height-kept)/2, width, (height-kept)/2+kept)
		case o.Fit == Contain:
			kept := max(1, int(math.Round(float64(w)/fh)))
			into = image.Rect((width-kept)/2, 0, (width-kept)/2+kept, height)
		}
	}
	flat := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(flat, into, image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.BiLinear.Scale(flat, into, img, from.Add(b.Min), draw.Over, nil)
	channels := o.channels()
	for y := range o.Height {
		for x := range o.Width {
			fx, fy := turned(how, x, y, width, height)
			p := flat.Pix[flat.PixOffset(fx, fy):]
			at := (y*o.Width + x) * channels
			if o.Gray {
				to[at] = uint8((299*int(p[0]) + 587*int(p[1]) + 114*int(p[2]) + 500) / 1000)
			} else {
				to[at], to[at+1], to[at+2] = p[0], p[1], p[2]
			}
		}
	}
	if o.Jitter != nil && d != nil {
		o.Jitter.change(to, channels, d)
	}
}

// size returns an error for a picture that is too large.
func (o Options) size(width, height int) error {
	if width < 1 || height < 1 {
		return fmt.Errorf("the picture is %d by %d pixels: it is empty", width, height)
	}
	if width > o.MaxPixels/height {
		return fmt.Errorf("the picture is %d by %d pixels, more than the %d that are allowed: make it smaller, or raise MaxPixels", width, height, o.MaxPixels)
	}
	return nil
}

// frames returns an error if the frame in a WebP file, whose size the decoder believes, is too large. Google, WebP Container Specification; RFC 6386, section 9.1.
func (o Options) frames(content []byte) error {
	for rest := content[min(12, len(content)):]; len(rest) >= 8; {
		size := int64(binary.LittleEndian.Uint32(rest[4:]))
		body := rest[8:]
		switch string(rest[:4]) {
		case "VP8 ":
			if len(body) >= 10 {
				return o.size(int(binary.LittleEndian.Uint16(body[6:])&0x3fff), int(binary.LittleEndian.Uint16(body[8:])&0x3fff))
			}
		case "VP8L":
			if len(body) >= 5 {
				v := binary.LittleEndian.Uint32(body[1:])
				return o.size(int(v&0x3fff)+1, int(v>>14&0x3fff)+1)
			}
		}
		size += size & 1
		if size > int64(len(body)) {
			return nil // the decoder says what is wrong
		}
		rest = body[size:]
	}
	return nil
}

// turned returns the place in a picture of the given size from which the pixel at x, y comes in the picture as it is to be seen.
func turned(how, x, y, width, height int) (fx, fy int) {
	switch how {
	case 2:
		return width - 1 - x, y
	case 3:
		return width - 1 - x, height - 1 - y
	case 4:
		return x, height - 1 - y
	case 5:
		return y, x
	case 6:
		return y, height - 1 - x
	case 7:
		return width - 1 - y, height - 1 - x
	case 8:
		return width - 1 - y, x
	}
	return x, y
}

// Orientation returns how a JPEG file says that it is to be turned: 1 for not at all, 2 to 8 for the other ways, and 0 if it does not
// say. Exif 2.32, section 4.6.4, tag Orientation, in the first directory of a TIFF file in the segment APP1.
func Orientation(file []byte) int {
	if !bytes.HasPrefix(file, []byte{0xff, 0xd8}) {
		return 0
	}
	const app1, scan, tag = 0xe1, 0xda, 0x0112
	for rest := file[2:]; len(rest) >= 4 && rest[0] == 0xff && rest[1] != scan; {
		size := int(binary.BigEndian.Uint16(rest[2:]))
		if size < 2 || 2+size > len(rest) {
			return 0
		}
		exif, found := bytes.CutPrefix(rest[4:2+size], []byte("Exif\x00\x00"))
		if rest[1] != app1 || !found {
			rest = rest[2+size:]
			continue
		}
		var order binary.ByteOrder = binary.LittleEndian
		if bytes.HasPrefix(exif, []byte("MM")) {
			order = binary.BigEndian
		}
		if len(exif) < 8 {
			return 0
		}
		at := int64(order.Uint32(exif[4:]))
		if at+2 > int64(len(exif)) {
			return 0
		}
		entries := exif[at+2:]
		for range order.Uint16(exif[at:]) {
			if len(entries) < 12 {
				return 0
			}
			if order.Uint16(entries) == tag {
				return int(order.Uint16(entries[8:]))
			}
			entries = entries[12:]
		}
		return 0
	}
	return 0
}

// Size returns the width and the height of a picture in pixels, as its file has it, before it is turned.
func Size(content []byte) (width, height int, err error) {
	c, _, err := image.DecodeConfig(bytes.NewReader(content))
	if err != nil {
		return 0, 0, fmt.Errorf("images: %w", err)
	}
	return c.Width, c.Height, nil
}
