// Package snippet declares what the fragments of Go in the documentation refer to: the test of the documentation compiles each
// fragment in a function of this package.
package snippet

import (
	"context"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"os"
	"runtime"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/board"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/images"
	"github.com/seed-49005b45/tarn/data/mnist"
	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/data/table/parquet"
	"github.com/seed-49005b45/tarn/data/table/sqlite"
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/fit"
	"github.com/seed-49005b45/tarn/interop/onnx"
	"github.com/seed-49005b45/tarn/interop/safetensors"
	"github.com/seed-49005b45/tarn/minimize"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/pjrt"
	"github.com/seed-49005b45/tarn/predict"
	"github.com/seed-49005b45/tarn/serve"
	"github.com/seed-49005b45/tarn/train"
	"github.com/seed-49005b45/tarn/train/curve"
)

var (
	_ = fmt.Sprint
	_ io.Writer
	_ = log.Fatal
	_ http.Handler
	_ board.Options
	_ = math.Pi
	_ os.File
	_ = runtime.GOMAXPROCS
	_ = strings.Cut
	_ = mnist.Load
	_ = safetensors.SaveWeights
	_ minimize.Options
	_ = curve.WritePNG
	_ = parquet.Load
	_ = sqlite.Load
	_ = onnx.Load
	_ = images.Open
	_ = fit.Load
	_ predict.Model
	_ serve.Options
)

// use takes the results of an expression.
func use(...any) {}

// Net is the model.
type Net struct{ Hidden, Out *nn.Linear }

// Forward returns the scores.
func (n *Net) Forward(x *tarn.Value) *tarn.Value { return n.Out.Forward(n.Hidden.Forward(x).ReLU()) }

// Build describes the model for a batch.
func (n *Net) Build(g *tarn.Graph, size int) tarn.Outputs { return nil }

// The variables of the fragments: values of a graph, a model and what trains it.
var (
	ctx                    context.Context
	g                      *tarn.Graph
	a, b, v, w, x, y, mask *tarn.Value
	dy, index, loss, q     *tarn.Value
	k, scores, label       *tarn.Value
	theta, p, p1, p2       *tarn.Param
	t, xs, ys              *tarn.Tensor
	layer                  nn.Layer
	model                  *Net
	opt                    *optim.AdamW
	step                   *train.Step
	loop                   *train.Loop
	set, valid, test       *data.Set
	schema                 *table.Schema
	houses                 *table.Table
	rows                   []int
	picture                []byte
	network                *onnx.Model
	gpt                    *nn.GPT
	comm                   dist.Comm
	points, start          []float64
)

// term is what some points add to a function.
func term(points []float64) minimize.Problem { return minimize.Problem{} }
