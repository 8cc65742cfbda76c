package fit

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/images"
	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/nn"
)

// This file holds models of pictures. In a table, a picture is a cell of a column of words: the bytes of its file in base64.

// ImageOptions say how to fit a model of pictures. The zero value is the usual way.
type ImageOptions struct {
	MediaOptions
	// Network is "small", a small convolutional network, which is the default; or "resnet18" or "resnet34" (He et al. 2016).
	Network string
	Size    int    // pixels of a side, to which pictures are brought; 0 means 32 for small pictures and 64 for others
	Mirror  string // whether pictures are mirrored at random: "yes", "no", or "" for yes if they have colors
	Target  string // how the class is called in answers; "" means class
}

// PictureColumn is the column of a table from which models of pictures read them.
const PictureColumn = "image"

// imageMedium is how a model reads pictures, and its network.
type imageMedium struct {
	Network string  `json:"network"`
	Size    int     `json:"size"`
	Gray    bool    `json:"gray"`
	Classes int     `json:"classes"`
	Dropout float64 `json:"dropout"`

	net *convolutional
}

// Images makes a model of pictures whose classes are known, as images.Open and images.OpenTable list them.
//
//	photos, err := images.Open("photos")
//	m, err := fit.Images(ctx, photos, fit.ImageOptions{})
func Images(ctx context.Context, f *images.Folder, o ImageOptions) (*Model, error) {
	if f == nil || len(f.Paths) < 10 {
		return nil, errors.New("fit: at least 10 pictures are needed")
	}
	if o.Target == "" {
		o.Target = "class"
	}
	media, err := o.MediaOptions.filled(len(f.Paths))
	if err != nil {
		return nil, err
	}
	switch {
	case o.Target == PictureColumn:
		return nil, fmt.Errorf("fit: the class cannot be called %s, as the pictures are", PictureColumn)
	case !slices.Contains([]string{"", "yes", "no"}, o.Mirror):
		return nil, fmt.Errorf("fit: mirror %s: there are yes and no", list.Quote(o.Mirror))
	case len(f.Classes) < 2:
		return nil, fmt.Errorf("fit: all pictures are of the class %s: there is nothing to learn", list.Names(f.Classes))
	}
	sorted, index := newClasses(f.Classes)
	f = &images.Folder{Paths: f.Paths, Labels: slices.Clone(f.Labels), Classes: sorted, Skipped: f.Skipped, Notes: f.Notes}
	for i, l := range f.Labels {
		if l < 0 || int(l) >= len(index) {
			return nil, fmt.Errorf("fit: picture %s has the label %d, and there are %d classes", f.Paths[i], l, len(index))
		}
		f.Labels[i] = index[l]
	}
	gray, side, err := look(f)
	if err != nil {
		return nil, err
	}
	medium := &imageMedium{Network: o.Network, Size: o.Size, Gray: gray, Classes: len(sorted), Dropout: media.Dropout}
	if medium.Network == "" {
		medium.Network = "small"
	}
	if medium.Size == 0 {
		medium.Size = 64
		if side <= 40 {
			medium.Size = 32
		}
	}
	m := &Model{medium: medium, schema: pictureSchema(o.Target, len(f.Paths), len(sorted)), About: About{Version: version, Task: Classify, Target: o.Target, Classes: sorted, Share: 1, Temperature: 1, Threshold: 0.5, Seed: o.Seed}}
	if err := m.checkMedia(); err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	if m.About.Digest, err = digestFiles(f); err != nil {
		return nil, err
	}
	m.About.Notes = append(m.About.Notes, f.Notes...)
	counts := f.Counts()
	if k := fewest(counts); counts[k] < 5 {
		m.About.Notes = append(m.About.Notes, fmt.Sprintf("class %s has only %s", list.Quote(sorted[k]), list.Count(counts[k], "picture")))
	}
	learn, judge, err := f.Split(media.Valid, o.Seed)
	if err != nil {
		return nil, err
	}
	m.About.Rows = len(learn.Paths)
	m.About.Split = fmt.Sprintf("%d pictures to learn, %d to judge, in equal shares of the classes", len(learn.Paths), len(judge.Paths))
	media.plan(medium.network().(*convolutional).multiplications(medium.Size), len(learn.Paths))
	reading := medium.reading()
	reading.Keep = 256 << 20
	valid, err := judge.Set(reading)
	if err != nil {
		return nil, err
	}
	reading.Crop = &images.ResizedCrop{Least: 0.6}
	reading.Jitter = &images.ColorJitter{Brightness: 0.2, Contrast: 0.2, Saturation: 0.2}
	set, err := learn.Set(reading)
	if err != nil {
		return nil, err
	}
	if o.Mirror == "yes" || o.Mirror == "" && !gray {
		if set, err = set.Transform("image", data.RandomFlip{}); err != nil {
			return nil, err
		}
	}
	l := &learner{medium: medium, options: media, target: "label", loss: crossEntropy("label", media.balance(learn.Counts())), learn: set, judge: valid}
	if err := l.train(ctx); err != nil {
		return nil, err
	}
	return m, m.classify(ctx, l, learn.Counts())
}

// pictureSchema is the schema of tables of pictures.
func pictureSchema(target string, rows, classes int) *table.Schema {
	return &table.Schema{Rows: rows, Columns: []table.Description{
		{Name: PictureColumn, Kind: table.Text, Role: table.Feature, Why: "a picture: the bytes of a PNG, JPEG, GIF or WebP file in base64", Distinct: rows},
		{Name: target, Kind: table.Category, Role: table.Target, Why: "the class of the picture", Distinct: classes},
	}}
}

// Pictures returns the table of some pictures as models of pictures read it, with their classes in the column target, if that is not "".
func Pictures(f *images.Folder, target string) (*table.Table, error) {
	var pictures, labels []string
	for i, path := range f.Paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("fit: %w", err)
		}
		pictures = append(pictures, base64.StdEncoding.EncodeToString(content))
		if target != "" {
			labels = append(labels, f.Classes[f.Labels[i]])
		}
	}
	columns := []*table.Column{table.Words(PictureColumn, pictures...)}
	if target != "" {
		columns = append(columns, table.Words(target, labels...))
	}
	return table.New(columns...)
}

// look looks at some pictures: whether they have no colors, and how long the shorter side of most is.
func look(f *images.Folder) (gray bool, side int, err error) {
	gray = true
	var sides []int
	step := max(1, len(f.Paths)/32)
	for i := 0; i < len(f.Paths); i += step {
		content, err := os.ReadFile(f.Paths[i])
		if err != nil {
			return false, 0, fmt.Errorf("fit: %w", err)
		}
		x, err := images.Options{Height: 16, Width: 16}.Decode(content)
		if err != nil {
			return false, 0, damaged(f.Paths[i], err)
		}
		for p := 0; p < len(x); p += 3 {
			gray = gray && x[p] == x[p+1] && x[p] == x[p+2]
		}
		w, h, err := images.Size(content)
		if err != nil {
			return false, 0, damaged(f.Paths[i], err)
		}
		sides = append(sides, min(w, h))
	}
	slices.Sort(sides)
	return gray, sides[len(sides)/2], nil
}

// damaged is the error of a file that cannot be decoded, with the cure.
func damaged(path string, err error) error {
	return fmt.Errorf("fit: %s: %w; replace or remove the file", list.Name(path), err)
}

// digestFiles is the SHA-256 of the files and their classes.
func digestFiles(f *images.Folder) (string, error) {
	h := sha256.New()
	for i, path := range f.Paths {
		file, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("fit: %w", err)
		}
		n, err := io.Copy(h, file)
		file.Close()
		if err != nil {
			return "", fmt.Errorf("fit: %w", err)
		}
		fmt.Fprintf(h, "%d %s\n", n, f.Classes[f.Labels[i]])
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// reading says how pictures become images.
func (m *imageMedium) reading() images.Options {
	return images.Options{Height: m.Size, Width: m.Size, Gray: m.Gray}
}

func (m *imageMedium) check(about *About) error {
	switch {
	case !slices.Contains([]string{"small", "resnet18", "resnet34"}, m.Network):
		return fmt.Errorf("network %s: there are small, resnet18 and resnet34", list.Quote(m.Network))
	case m.Size < 8 || m.Size > 1024:
		return fmt.Errorf("images of %d pixels a side: there must be 8 to 1024", m.Size)
	case m.Classes < 2 || m.Classes > 1<<16 || m.Classes != len(about.Classes) || about.Task != Classify:
		return fmt.Errorf("a model of pictures with the task %q, %d classes and %d names for them", about.Task, m.Classes, len(about.Classes))
	case !within(m.Dropout, 0, 0.99):
		return fmt.Errorf("a dropout of %v", m.Dropout)
	}
	return nil
}

func (m *imageMedium) network() any {
	if m.net == nil {
		channels := 3
		if m.Gray {
			channels = 1
		}
		m.net = newConvolutional(m.Network, m.Size, channels, m.Classes, m.Dropout)
	}
	return m.net
}

func (m *imageMedium) declare(g *tarn.Graph, n int) []*tarn.Value {
	channels := 3
	if m.Gray {
		channels = 1
	}
	return []*tarn.Value{g.Input("image", tarn.F32, n, m.Size, m.Size, channels)}
}

func (m *imageMedium) forward(in []*tarn.Value) *tarn.Value {
	m.network()
	return m.net.forward(in[0])
}

func (m *imageMedium) tensors(t *table.Table) ([]*tarn.Tensor, error) {
	c := t.Column(PictureColumn)
	if c == nil {
		return nil, fmt.Errorf("there is no column %s with pictures; there are %s", list.Quote(PictureColumn), list.Names(t.Names()))
	}
	o := m.reading()
	x, err := tarn.NewTensor(tarn.F32, append([]int{t.Rows()}, o.Shape()...)...)
	if err != nil {
		return nil, fmt.Errorf("pictures of %d rows: %w", t.Rows(), err)
	}
	width := x.Size() / max(1, t.Rows())
	for i := range t.Rows() {
		bad := func(problem string) error {
			return &table.CellError{Row: i, Line: t.Line(i), Column: PictureColumn, Problem: problem}
		}
		if c.Missing(i) {
			return nil, bad("there is no picture")
		}
		word := c.Text(i)
		if _, rest, found := strings.Cut(word, ";base64,"); found && strings.HasPrefix(word, "data:") {
			word = rest
		}
		content, err := base64.StdEncoding.DecodeString(word)
		if err != nil {
			return nil, bad("this is no picture in base64: " + err.Error())
		}
		pixels, err := o.Decode(content)
		if err != nil {
			return nil, bad(strings.TrimPrefix(err.Error(), "images: "))
		}
		copy(x.F32()[i*width:], pixels)
	}
	return []*tarn.Tensor{x}, nil
}

// ReadsPictures reports whether the model reads pictures, from the column PictureColumn.
func (m *Model) ReadsPictures() bool {
	_, ok := m.medium.(*imageMedium)
	return ok
}

// convolution is a convolution without a bias, and the batch norm after it.
type convolution struct {
	Conv *nn.Conv
	Norm *nn.BatchNorm
}

func newConvolution(in, out, size, stride int) *convolution {
	c := nn.NewConv2d(in, out, size)
	c.Bias, c.Stride, c.Padding = nil, []int{stride}, []int{size / 2}
	c.Weight.SetInit(nn.KaimingNormal(nn.FanOut, nn.Gain(nn.ReLU{})))
	return &convolution{c, nn.NewBatchNorm(out)}
}

func (c *convolution) forward(x *tarn.Value) *tarn.Value { return c.Norm.Forward(c.Conv.Forward(x)) }

// block is two convolutions, with what they read added to their result if it is residual.
type block struct {
	First, Second *convolution
	Shortcut      *convolution // brings x to the size of the result; nil if it has that size

	residual bool
}

func newBlock(in, out, stride int, residual bool) *block {
	b := &block{First: newConvolution(in, out, 3, stride), Second: newConvolution(out, out, 3, 1), residual: residual}
	if residual && (in != out || stride != 1) {
		b.Shortcut = newConvolution(in, out, 1, stride)
	}
	return b
}

func (b *block) forward(x *tarn.Value) *tarn.Value {
	y := b.Second.forward(b.First.forward(x).ReLU())
	switch {
	case !b.residual:
		return y.ReLU()
	case b.Shortcut != nil:
		x = b.Shortcut.forward(x)
	}
	return x.Add(y).ReLU()
}

// convolutional is a network for images: a stem, blocks that halve the sides and widen the channels, and a linear layer on the mean of what is left. The ResNets have the blocks of He et al. 2016, table 1; for
// images of at most 64 pixels a side their stem is a convolution of 3 by 3 without stride, as theirs for CIFAR-10.
type convolutional struct {
	Stem   *convolution
	Blocks []*block
	Drop   *nn.Dropout
	Out    *nn.Linear

	pool bool // after the stem
}

func newConvolutional(network string, size, channels, classes int, dropout float64) *convolutional {
	m := &convolutional{Drop: nn.NewDropout(dropout)}
	widths, depths := []int{64, 128, 256, 512}, []int{2, 2, 2, 2}
	switch network {
	case "small":
		widths, depths = []int{32, 64, 128}, []int{1, 1, 1}
	case "resnet34":
		depths = []int{3, 4, 6, 3}
	}
	in, stride := 64, 1
	switch {
	case network == "small":
		in, stride = 16, 2
		m.Stem = newConvolution(channels, in, 3, 1)
	case size <= 64:
		m.Stem = newConvolution(channels, in, 3, 1)
	default:
		m.Stem, m.pool = newConvolution(channels, in, 7, 2), true
	}
	for i, out := range widths {
		for range depths[i] {
			m.Blocks = append(m.Blocks, newBlock(in, out, stride, network != "small"))
			in, stride = out, 1
		}
		stride = 2
	}
	m.Out = nn.NewLinear(in, classes)
	return m
}

func (m *convolutional) forward(x *tarn.Value) *tarn.Value {
	x = m.Stem.forward(x).ReLU()
	if m.pool {
		pool := nn.NewMaxPool(3, 3)
		pool.Stride, pool.Padding = []int{2}, []int{1}
		x = pool.Forward(x)
	}
	for _, b := range m.Blocks {
		x = b.forward(x)
	}
	return m.Out.Forward(m.Drop.Forward(nn.GlobalAvgPool{}.Forward(x)))
}

// multiplications is the number of multiplications for an image of the given side.
func (m *convolutional) multiplications(side int) float64 {
	sum := 0.0
	step := func(c *convolution) {
		side = (side + c.Conv.Stride[0] - 1) / c.Conv.Stride[0]
		sum += float64(c.Conv.Weight.Tensor().Size() * side * side)
	}
	step(m.Stem)
	if m.pool {
		side = (side + 1) / 2
	}
	for _, b := range m.Blocks {
		step(b.First)
		step(b.Second)
	}
	return sum
}
