package remedy

import (
	"fmt"
	"strings"

	"github.com/seed-49005b45/tarn/nn"
)

// This file writes a changed training as Go.

// source is a layer as the Go expression that makes it. A layer that has no such expression here stands as a comment.
func source(l nn.Layer) string {
	switch l := l.(type) {
	case *nn.Sequential:
		var b strings.Builder
		b.WriteString("nn.NewSequential(\n")
		for _, inner := range l.Layers {
			for _, line := range strings.Split(source(inner)+",", "\n") {
				b.WriteString("\t" + line + "\n")
			}
		}
		return b.String() + ")"
	case *Residual:
		var inner []string
		for _, x := range l.Body.Layers {
			inner = append(inner, source(x))
		}
		return "&remedy.Residual{Body: nn.NewSequential(" + strings.Join(inner, ", ") + ")}"
	case *nn.Linear:
		return fmt.Sprintf("nn.NewLinear(%d, %d)", l.Weight.Shape()[1], l.Weight.Shape()[0])
	case *nn.BatchNorm:
		return fmt.Sprintf("nn.NewBatchNorm(%d)", l.RunningMean.Shape()[0])
	case *nn.LayerNorm:
		return fmt.Sprintf("nn.NewLayerNorm(%d)", l.Weight.Shape()[0])
	case *nn.PReLU:
		return fmt.Sprintf("nn.NewPReLU(%d)", l.Weight.Shape()[0])
	case *nn.Dropout:
		return fmt.Sprintf("nn.NewDropout(%g)", l.P)
	case *nn.LSTM:
		return fmt.Sprintf("nn.NewLSTM(%d, %d, nn.RecurrentOptions{})", l.In, l.Hidden)
	}
	if activation(l) {
		return fmt.Sprintf("%T{}", l)
	}
	switch l.(type) {
	case nn.Softmax, nn.Flatten, nn.Identity, nn.GLU, nn.SwiGLU, nn.GeGLU:
		return fmt.Sprintf("%T{}", l)
	}
	return fmt.Sprintf("/* your %T */ nil", l)
}

// Source is a changed training as Go. The lines speak of the variables model, optimizer, loop and the sets set, valid and test; updates is the number of them;
// must returns its first argument if the second is no error, and check takes an error.
type Source struct {
	Notes     []string // what has changed, in words
	Model     string   // the expression of an nn.Sequential, or "" for other models
	Init      []string // before tarn.Init
	Ready     []string // after it
	Data      []string // before batches are drawn
	Optimizer string   // the expression of another optimizer, or "" for the training's own
	Tune      []string // settings of the optimizer
	Loop      []string // settings of the train.Loop
	Rate      float64
	Batch     int
}

// Source returns the trial as Go: the zero Source for one that could not be made.
func (t *Trial) Source() Source {
	if t == nil || t.config == nil {
		return Source{}
	}
	c := t.config.code
	if s, ok := t.config.Model.(*nn.Sequential); ok {
		c.Model = source(s)
	}
	c.Rate, c.Batch = t.config.Rate, t.config.Batch
	return c
}

// String returns the whole as lines of Go, the notes as comments.
func (s Source) String() string {
	var b strings.Builder
	for _, n := range s.Notes {
		fmt.Fprintf(&b, "// %s\n", n)
	}
	line := func(lines ...string) {
		for _, l := range lines {
			b.WriteString(l + "\n")
		}
	}
	if s.Model != "" {
		line("model := " + s.Model)
	}
	line(s.Init...)
	line(s.Ready...)
	line(s.Data...)
	if s.Optimizer != "" {
		line("optimizer := " + s.Optimizer)
	}
	line(s.Tune...)
	line(s.Loop...)
	return b.String()
}
