package main

import (
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data/mnist"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

// This file holds the network that reads digits, and the configuration from which a run's folder can build it again.

const pixels = mnist.Height * mnist.Width

// config is a run of train mnist as config.json has it.
type config struct {
	Task      string  `json:"task"`
	Hidden    []int   `json:"hidden"`
	Epochs    int     `json:"epochs"`
	Batch     int     `json:"batch"`
	Optimizer string  `json:"optimizer"`
	Rate      float64 `json:"learning_rate"`
	Seed      uint64  `json:"seed"`
	Examples  int     `json:"examples"`
	Shards    int     `json:"shards,omitempty"` // of a batch: see train.Shards

	Precision tarn.Precision `json:"precision,omitempty"` // of products
}

const task = "mnist"

// widths are the sizes of the hidden layers.
type widths []int

const (
	maxWidth  = 1 << 14
	maxLayers = 32
)

// UnmarshalText parses "512,512"; an empty text means no hidden layer.
func (w *widths) UnmarshalText(text []byte) error {
	*w = widths{}
	if len(text) == 0 {
		return nil
	}
	for _, field := range strings.Split(string(text), ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil {
			return fmt.Errorf("%s is not a list of widths such as 512,512", list.Quote(string(text)))
		}
		*w = append(*w, n)
	}
	return w.check()
}

func (w widths) check() error {
	if len(w) > maxLayers {
		return fmt.Errorf("%d hidden layers are too many; at most %d are possible", len(w), maxLayers)
	}
	for _, n := range w {
		if n < 1 || n > maxWidth {
			return fmt.Errorf("the width %d of a hidden layer should be from 1 to %d", n, maxWidth)
		}
	}
	return nil
}

// String returns the network, as in "784-512-512-10".
func (w widths) String() string {
	parts := []string{strconv.Itoa(pixels)}
	for _, n := range w {
		parts = append(parts, strconv.Itoa(n))
	}
	return strings.Join(append(parts, strconv.Itoa(mnist.Classes)), "-")
}

// optimizer returns the optimizer, with the schedule of its rate over the whole training.
func (c *config) optimizer() (optim.Optimizer, error) {
	one, err := findContender("--optimizer", c.Optimizer)
	if err != nil {
		return nil, err
	}
	steps := c.Epochs * ((c.Examples + c.Batch - 1) / c.Batch)
	return one.make(one.schedule(c.Rate, steps)), nil
}

// check returns an error for a configuration that is impossible; available is the number of examples.
func (c *config) check(available int) error {
	if _, err := findContender("--optimizer", c.Optimizer); err != nil {
		return err
	}
	switch {
	case c.Epochs < 1 || c.Epochs > 1e6:
		return fmt.Errorf("--epochs is %d and should be from 1 to 1000000", c.Epochs)
	case c.Batch < 1 || c.Batch > mnistTraining:
		return fmt.Errorf("--batch is %d and should be from 1 to %d", c.Batch, mnistTraining)
	case c.Examples < 1 || c.Examples > available:
		return fmt.Errorf("--examples is %d and should be from 1 to %d", c.Examples, available)
	case !(c.Rate > 0) || math.IsInf(c.Rate, 0):
		return fmt.Errorf("--lr is %v and should be a finite number above 0", c.Rate)
	}
	return widths(c.Hidden).check()
}

// network is the model: linear layers with ReLU between them.
type network struct {
	Layers []*nn.Linear
}

func newNetwork(hidden []int) *network {
	m := &network{}
	in := pixels
	for _, out := range append(slices.Clone(hidden), mnist.Classes) {
		m.Layers = append(m.Layers, nn.NewLinear(in, out))
		in = out
	}
	return m
}

// Forward returns the logits of the digits.
func (m *network) Forward(x *tarn.Value) *tarn.Value {
	for i, layer := range m.Layers {
		if i > 0 {
			x = x.ReLU()
		}
		x = layer.Forward(x)
	}
	return x
}

// build describes the computation on n images.
func (m *network) build(g *tarn.Graph, n int) tarn.Outputs {
	image, label := g.Input("image", tarn.F32, n, pixels), g.Input("label", tarn.I32, n)
	logits := m.Forward(image)
	return tarn.Outputs{"loss": nn.CrossEntropy(logits, label), "prediction": logits}
}

// size returns the number of weights.
func (m *network) size() (n int) {
	for _, l := range m.Layers {
		n += l.Weight.Tensor().Size() + l.Bias.Tensor().Size()
	}
	return n
}

// taskOf returns the task of the run in a folder, from its configuration.
func taskOf(dir string) (string, error) {
	folder, err := train.OpenFolder(dir)
	if err != nil {
		return "", err
	}
	var settings map[string]any
	if err := folder.Options(&settings); err != nil {
		return "", err
	}
	of, _ := settings["task"].(string)
	return of, nil
}

// openRun opens the folder of a run of a task and reads its configuration.
func openRun(dir, task string, settings any) (*train.Folder, error) {
	of, err := taskOf(dir)
	if err != nil {
		return nil, err
	}
	if of != task {
		return nil, fmt.Errorf("%s is the folder of a run of the task %q, and one of train %s is needed here", file.Name(dir), of, task)
	}
	folder, err := train.OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	return folder, folder.Options(settings)
}

// openMNIST opens the folder of a run of train mnist and reads its configuration, which may ask for at most the given number of examples.
func openMNIST(dir string, available int) (folder *train.Folder, c config, err error) {
	if folder, err = openRun(dir, task, &c); err != nil {
		return nil, c, err
	}
	if err := c.check(available); err != nil {
		return nil, c, fmt.Errorf("%s: %w", file.Name(folder.Path("config.json")), err)
	}
	return folder, c, nil
}

// loadRun builds the network of a run's folder and loads its weights.
func loadRun(dir string) (m *network, c config, from string, err error) {
	folder, c, err := openMNIST(dir, math.MaxInt)
	if err != nil {
		return nil, c, "", err
	}
	m = newNetwork(c.Hidden)
	from, err = folder.LoadWeights(m)
	return m, c, from, err
}

// weightSum is a checksum of the weights of a model, 0 if it is none.
func weightSum(model any) uint32 {
	params, err := tarn.Params(model)
	if err != nil {
		return 0
	}
	h := crc32.NewIEEE()
	for name, p := range params.All() {
		fmt.Fprint(h, name, p.Shape())
		h.Write(p.Tensor().Raw())
	}
	return h.Sum32()
}
