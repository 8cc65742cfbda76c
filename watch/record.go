package watch

import (
	"fmt"
	"math"
	"strconv"
)

// This file holds what is recorded: the lines of a file of records.

// Number is a float64 that JSON can hold even if it is not finite: as the string "NaN", "+Inf" or "-Inf".
type Number float64

// MarshalJSON writes a number, or one of the three strings.
func (x Number) MarshalJSON() ([]byte, error) {
	f := float64(x)
	switch {
	case math.IsNaN(f):
		return []byte(`"NaN"`), nil
	case math.IsInf(f, 0):
		return fmt.Appendf(nil, `"%+v"`, f), nil
	}
	return strconv.AppendFloat(nil, f, 'g', 7, 64), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (x *Number) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case "null":
	case `"NaN"`:
		*x = Number(math.NaN())
	case `"+Inf"`:
		*x = Number(math.Inf(1))
	case `"-Inf"`:
		*x = Number(math.Inf(-1))
	default:
		f, err := strconv.ParseFloat(string(text), 64)
		if err != nil {
			return fmt.Errorf("watch: %s is not a number", text)
		}
		*x = Number(f)
	}
	return nil
}

// Finite reports whether x is neither infinite nor NaN.
func (x Number) Finite() bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }

// Header describes a training. It comes first, and again each time that the training is resumed.
type Header struct {
	Version  int     `json:"version"`
	Run      int64   `json:"run"`   // runs completed before: what is recorded of later ones further up has been undone
	Every    int     `json:"every"` // updates from one look to the next
	Batch    int     `json:"batch"`
	Examples int     `json:"examples"` // of the training set
	Epochs   int     `json:"epochs"`
	Task     string  `json:"task,omitempty"` // "classes" or "numbers", if it is known
	Classes  int     `json:"classes,omitempty"`
	Loss     string  `json:"loss,omitempty"`   // see tarn.LossForm
	Chance   *Number `json:"chance,omitempty"` // the loss of the best constant prediction, if it is known
	// What the targets are, if they are known: the lowest and the highest, and the share of the most frequent of classes.
	Low  *Number `json:"low,omitempty"`
	High *Number `json:"high,omitempty"`
	Most *Number `json:"most,omitempty"`
	// Neighbors is the loss of a prediction that knows of each example what those know that are most like it, if inputs and loss
	// are such that this can be told: what inputs and targets have to do with each other. Far below Chance it says that there
	// is something to learn; near it, that there is nothing, or nothing that distances show.
	Neighbors *Number `json:"neighbors,omitempty"`
	Inputs    []Input `json:"inputs,omitempty"`
	Optimizer string  `json:"optimizer"`
	Params    []Param `json:"params"`
	Layers    []Layer `json:"layers"`           // in the order in which they compute
	Ranks     []Rank  `json:"ranks,omitempty"`  // the processes of a training over several
	Shards    int     `json:"shards,omitempty"` // the parts of each batch in a training over shards
}

// Rank describes a process of a training over ranks. It computes the shards of each batch from First to before End.
type Rank struct {
	Host  string `json:"host"`
	First int    `json:"first"`
	End   int    `json:"end"`
}

// Param describes a trainable param.
type Param struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
	Layer int    `json:"layer"` // its place among Header.Layers, or -1
	// Alike says that the weights of all units of the layer are the same, and not 0, so that the units may stay alike.
	Alike bool `json:"alike,omitempty"`
	// Decay is the weight decay, before the learning rate.
	Decay Number `json:"decay,omitempty"`
}

// Input describes the numbers of an input that holds floats.
type Input struct {
	Name  string `json:"name"`
	Mean  Number `json:"mean"`
	Std   Number `json:"std"`
	Usual Number `json:"usual"` // the magnitude that 1 % exceed
	Most  Number `json:"most"`  // the largest magnitude
}

// Size is the number of elements.
func (p Param) Size() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// Layer describes a layer: see tarn.Layer.
type Layer struct {
	Path       string `json:"path"`
	Op         string `json:"op"`
	Activation string `json:"activation,omitempty"`
	Shape      []int  `json:"shape"` // of its result
	Units      int    `json:"units"` // the size of the result's last axis
	// Running says that the layer has states, as batch normalization has running means.
	Running bool `json:"running,omitempty"`
	// Frozen says that all its params are frozen.
	Frozen bool `json:"frozen,omitempty"`
	// Attends says that its result goes into an attention.
	Attends bool `json:"attends,omitempty"`
}

// Step is one look.
type Step struct {
	Run     int64   `json:"run"` // runs completed, this one included
	Epoch   int     `json:"epoch"`
	Seconds float64 `json:"seconds"` // that the training has taken, evaluations included

	Loss     Number `json:"loss"`
	Rate     Number `json:"rate"`
	GradNorm Number `json:"gradNorm"`
	// ClippedNorm is the norm after ClipNorm, or GradNorm if there is none.
	ClippedNorm Number `json:"clippedNorm"`

	// These compare the step with the one before it, and are nil at the first.

	// Cosine is that of the angle between the two gradients.
	Cosine *Number `json:"cosine,omitempty"`
	// NoiseScale is the batch size at which noise and gradient are equally large: B (|g|² - g·g')/(g·g'), with |g|² the mean of the
	// two squares and B the batch size; nil too if g·g' is not positive. (McCandlish et al. 2018, An empirical model of
	// large-batch training, appendix A.1, with two batches of one size.)
	NoiseScale *Number `json:"noiseScale,omitempty"`
	// Alpha is the place of the step before in the parabola through the slopes at its two ends, -s'/s: 0 is the bottom of the
	// valley, -1 says that the step was too short to notice, 1 that it ended as high on the other side.
	// (Schneider, Dangel and Hennig 2021, Cockpit: a practical debugging tool for the training of deep neural networks.)
	Alpha *Number `json:"alpha,omitempty"`

	// Busy is the number of processors that the process has kept busy since the look before, and Memory the bytes that it has from the
	// system, where that is known.
	Busy   *Number `json:"busy,omitempty"`
	Memory *Number `json:"memory,omitempty"`

	// Ranks says where the time of the steps since the look before went, in a training over several ranks.
	Ranks *RankColumns `json:"ranks,omitempty"`

	Params ParamColumns      `json:"params"`
	Layers LayerColumns      `json:"layers"`
	Values map[string]Number `json:"values,omitempty"` // of the user: see Options.Values
}

// ParamColumns has one number for each of Header.Params.
type ParamColumns struct {
	Norm       []Number `json:"norm"`
	GradNorm   []Number `json:"gradNorm"`
	UpdateNorm []Number `json:"updateNorm"`
	Zeros      []Number `json:"zeros"`     // share of exact zeros among the weights
	GradZeros  []Number `json:"gradZeros"` // and in the gradient
	NonFinite  []Number `json:"nonFinite"` // elements of the gradient that are infinite or NaN
}

// Ratio is the norm of the update over that of the weights of param i.
func (c ParamColumns) Ratio(i int) float64 { return float64(c.UpdateNorm[i]) / float64(c.Norm[i]) }

// LayerColumns has one entry for each of Header.Layers. Mean and Std are those of the result, before the activation.
type LayerColumns struct {
	Mean     []Number `json:"mean"`
	Std      []Number `json:"std"`
	GradNorm []Number `json:"gradNorm"` // of the gradient that arrives at the result
	// Dead is the share of units whose activation was 0 for every example of the last Options.Window looks; 0 for
	// activations that have no flat zero.
	Dead []Number `json:"dead"`
	// Saturated is the share of activations in the flat parts of a sigmoid, below 0.05 or above 0.95, of a tanh, beyond
	// ±0.95, or at the bounds of a hard tanh; 0 for other activations.
	Saturated []Number `json:"saturated"`
	// GradSteps has for a recurrent layer the norm of the gradient that arrives at each time step; nil for others.
	GradSteps [][]Number `json:"gradSteps,omitempty"`
}

// RankColumns has one number for each of Header.Ranks: seconds of a step, in the mean over a number of steps. The sum of all four is about the same for all ranks.
type RankColumns struct {
	Steps    int      `json:"steps"`
	Compute  []Number `json:"compute"`  // the gradients of the rank's shards
	Between  []Number `json:"between"`  // from one step to the next: reading the batch, and on rank 0 records and checkpoints
	Wait     []Number `json:"wait"`     // for other ranks
	Exchange []Number `json:"exchange"` // sums over ranks as far as they take longer than computing, and the update
}

// Epoch is the end of an epoch.
type Epoch struct {
	Epoch     int               `json:"epoch"`
	Run       int64             `json:"run"`
	TrainLoss Number            `json:"trainLoss"`
	ValLoss   Number            `json:"valLoss"` // NaN without a validation set
	Metrics   map[string]Number `json:"metrics,omitempty"`
	Seconds   float64           `json:"seconds"`
}

// Verdict is a judgment of package doctor, recorded when it changes. An empty Rule says that nothing is wrong any more.
type Verdict struct {
	Run      int64    `json:"run"`
	Rule     string   `json:"rule"`
	Severity string   `json:"severity"` // "fault", "warning" or "note"
	Headline string   `json:"headline"`
	Evidence string   `json:"evidence"`
	Layers   []string `json:"layers,omitempty"`
	Remedies []string `json:"remedies,omitempty"`
}

// Failure is the end of a training whose run was not finite: see tarn.Origin.
type Failure struct {
	Run      int64  `json:"run"` // runs completed before
	Error    string `json:"error"`
	Input    string `json:"input,omitempty"` // the input that is not finite, or ""
	Op       string `json:"op,omitempty"`
	Place    string `json:"place,omitempty"`
	Near     string `json:"near,omitempty"` // the param that is the fewest ops away
	Overflow bool   `json:"overflow,omitempty"`
}

// Histogram is a distribution at a look: Counts[i] elements lie between Limits[i] and Limits[i+1].
type Histogram struct {
	Run    int64    `json:"run"`
	Of     string   `json:"of"`   // "weight", "gradient" or "activation"
	Name   string   `json:"name"` // of the param or the layer
	Limits []Number `json:"limits"`
	Counts []int    `json:"counts"`
}

// Confusion counts the classes of the validation set at the end of an epoch: Counts[t][p] examples of class t were taken for class p.
type Confusion struct {
	Epoch  int     `json:"epoch"`
	Run    int64   `json:"run"`
	Counts [][]int `json:"counts"`
}

// Program describes the program that trains on a full batch: its memory in bytes, and its steps. In a training over shards it is that of the gradients of a shard.
type Program struct {
	Run     int64         `json:"run"`   // the last of the runs that were timed
	Timed   int           `json:"timed"` // how many those are
	Arena   int           `json:"arena"` // the values of a run
	Inputs  int           `json:"inputs"`
	Outputs int           `json:"outputs"`
	Params  int           `json:"params"` // weights and states of the optimizer
	Steps   []ProgramStep `json:"steps"`
}

// ProgramStep is one step: see tarn.StepProfile.
type ProgramStep struct {
	Work    string  `json:"work"`
	Op      string  `json:"op"`
	Place   string  `json:"place"`
	Flops   int     `json:"flops"`
	Bytes   int     `json:"bytes"`
	Seconds float64 `json:"seconds"` // the median
}

// Line is one line of a file: exactly one of its fields is set.
type Line struct {
	Header    *Header    `json:"header,omitempty"`
	Step      *Step      `json:"step,omitempty"`
	Epoch     *Epoch     `json:"epoch,omitempty"`
	Verdict   *Verdict   `json:"verdict,omitempty"`
	Histogram *Histogram `json:"histogram,omitempty"`
	Failure   *Failure   `json:"failure,omitempty"`
	Confusion *Confusion `json:"confusion,omitempty"`
	Program   *Program   `json:"program,omitempty"`
}
