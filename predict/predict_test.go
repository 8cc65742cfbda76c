package predict_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/dist/disttest"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/predict"
)

// network is a table MLP: 20 numbers, a code with an embedding, two hidden layers and dropout.
type network struct {
	Embed *nn.Embedding
	Body  *nn.Sequential
}

func newNetwork() *network {
	m := &network{nn.NewEmbedding(50, 8), nn.NewSequential(nn.NewLinear(28, 128), nn.ReLU{}, nn.NewDropout(0.5), nn.NewLinear(128, 64), nn.ReLU{}, nn.NewLinear(64, 3))}
	tarn.Init(m, 1)
	return m
}

func (m *network) build(g *tarn.Graph, n int) tarn.Outputs {
	x, code := g.Input("x", tarn.F32, n, 20), g.Input("code", tarn.I32, n)
	y := m.Body.Forward(tarn.Concat(-1, x, m.Embed.Forward(code)))
	return tarn.Outputs{"probability": y.Softmax(-1), "logits": y}
}

// rows makes the inputs of n rows.
func rows(n int) (x, code *tarn.Tensor) {
	x, code = tarn.Zeros(tarn.F32, n, 20), tarn.Zeros(tarn.I32, n)
	for i := range x.F32() {
		x.F32()[i] = float32(math.Sin(float64(i) * 1.3))
	}
	for i := range code.I32() {
		code.I32()[i] = int32(i*7) % 50
	}
	return x, code
}

// TestAnyNumberOfRows shows that each row gets the answer of a program of exactly so many rows, however many there are.
func TestAnyNumberOfRows(t *testing.T) {
	m := newNetwork()
	p, err := predict.New(m.build, predict.Options{Sizes: []int{32, 1, 4}})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(p.Inputs(), " "); got != "x code" {
		t.Fatalf("inputs %s", got)
	}
	for _, n := range []int{0, 1, 2, 3, 4, 5, 8, 9, 31, 32, 33, 70, 100} {
		x, code := rows(n)
		got, err := p.Run(context.Background(), x, code)
		if err != nil {
			t.Fatalf("%d rows: %v", n, err)
		}
		if s := got["probability"].Shape(); s[0] != n || s[1] != 3 {
			t.Fatalf("%d rows: shape %v", n, s)
		}
		if n == 0 {
			continue
		}
		g := tarn.NewGraph()
		g.Eval()
		program, err := tarn.Compile(g, m.build(g, n))
		if err != nil {
			t.Fatal(err)
		}
		want, err := program.Run(x, code)
		if err != nil {
			t.Fatal(err)
		}
		if diff := got["probability"].Diff(want["probability"], 1e-6); diff != "" {
			t.Errorf("%d rows: %s", n, diff)
		}
	}
}

// TestAtOnce asks from many goroutines.
func TestAtOnce(t *testing.T) {
	p, err := predict.New(newNetwork().build, predict.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all, codes := rows(200)
	want, err := p.Run(context.Background(), all, codes)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for k := range 16 {
		wg.Go(func() {
			for i := k; i < 200; i += 16 {
				x, _ := tarn.FromSlice(all.F32()[i*20:(i+1)*20], 1, 20)
				code, _ := tarn.FromSlice(codes.I32()[i:i+1], 1)
				got, err := p.Run(context.Background(), x, code)
				if err != nil {
					t.Error(err)
					return
				}
				for c, v := range got["probability"].F32() {
					if math.Abs(float64(v-want["probability"].F32()[i*3+c])) > 1e-6 {
						t.Errorf("row %d: %v alone and %v among others", i, got["probability"].F32(), want["probability"].F32()[i*3:i*3+3])
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestRefusals(t *testing.T) {
	m := newNetwork()
	p, err := predict.New(m.build, predict.Options{AtOnce: 1, Sizes: []int{2}})
	if err != nil {
		t.Fatal(err)
	}
	x, code := rows(3)
	_, fewer := rows(2)
	bad := code.Clone()
	bad.I32()[1] = 50
	canceled, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("the client has gone")
	cancel(reason)
	ctx := context.Background()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		inputs []*tarn.Tensor
		want   string
	}{
		{"too few", ctx, []*tarn.Tensor{x}, "1 inputs were given, and there are 2: [x code]"},
		{"nil", ctx, []*tarn.Tensor{x, nil}, `input "code" is nil`},
		{"type", ctx, []*tarn.Tensor{code, code}, `input "x" is i32 [3], and must be f32`},
		{"rows", ctx, []*tarn.Tensor{x, fewer}, `input "code" has 2 rows, and "x" has 3`},
		{"index", ctx, []*tarn.Tensor{x, bad}, "50"},
		{"canceled", canceled, []*tarn.Tensor{x, code}, reason.Error()},
	} {
		if _, err := p.Run(c.ctx, c.inputs...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	t.Run("memory", func(t *testing.T) {
		p, err := predict.New(func(g *tarn.Graph, n int) tarn.Outputs {
			return tarn.Outputs{"y": g.Input("x", tarn.F32, n).Reshape(n, 1).Tile(1, 1<<12)}
		}, predict.Options{Sizes: []int{2}})
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("TARN_MEMORY", "0")
		if _, err := p.Run(ctx, tarn.Zeros(tarn.F32, 1<<11)); err == nil || !strings.Contains(err.Error(), `predict: Run: output "y": tarn: NewTensor: f32[2048 4096] is too large`) {
			t.Errorf("error %v, want that the output is too large", err)
		}
	})
	if _, err := p.Run(ctx, x, code); err != nil {
		t.Errorf("after errors: %v", err)
	}
	for _, c := range []struct {
		name  string
		build func(g *tarn.Graph, n int) tarn.Outputs
		o     predict.Options
		want  string
	}{
		{"nil", nil, predict.Options{}, "the function is nil"},
		{"size", m.build, predict.Options{Sizes: []int{0}}, "must be 1 or more"},
		{"none at once", m.build, predict.Options{AtOnce: -1}, "-1 runs at once"},
		{"fixed rows", func(g *tarn.Graph, n int) tarn.Outputs {
			return tarn.Outputs{"y": g.Input("x", tarn.F32, 7).Neg()}
		}, predict.Options{}, `input "x" has the shape [7]; its first axis must count the rows`},
		{"a mean", func(g *tarn.Graph, n int) tarn.Outputs {
			return tarn.Outputs{"y": g.Input("x", tarn.F32, n).Mean()}
		}, predict.Options{}, `output "y" has the shape []`},
		{"shapes", func(g *tarn.Graph, n int) tarn.Outputs {
			return tarn.Outputs{"y": g.Input("x", tarn.F32, n, n).Neg()}
		}, predict.Options{}, "the inputs are others than for another number of rows"},
		{"rows against rows", func(g *tarn.Graph, n int) tarn.Outputs {
			x := g.Input("x", tarn.F32, n, 3)
			return tarn.Outputs{"y": x.MatMul(x.Transpose(0, 1))}
		}, predict.Options{}, "the outputs are others than for another number of rows"},
		{"an output of one size", func(g *tarn.Graph, n int) tarn.Outputs {
			x := g.Input("x", tarn.F32, n)
			if n == 1 {
				return tarn.Outputs{"x": x, "y": x}
			}
			return tarn.Outputs{"x": x}
		}, predict.Options{}, "the outputs are others than for another number of rows"},
		{"nothing", func(g *tarn.Graph, n int) tarn.Outputs { return nil }, predict.Options{}, "neither outputs nor updates"},
		{"wrong graph", func(g *tarn.Graph, n int) tarn.Outputs {
			return tarn.Outputs{"y": g.Input("x", tarn.F32, n, 3).MatMul(g.Input("w", tarn.F32, n, 5))}
		}, predict.Options{}, "MatMul"},
	} {
		if _, err := predict.New(c.build, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New, %s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// BenchmarkPredict answers one row, and many.
func BenchmarkPredict(b *testing.B) {
	p, err := predict.New(newNetwork().build, predict.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		n    int
	}{{"one", 1}, {"1000", 1000}} {
		x, code := rows(c.n)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Run(context.Background(), x, code); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(c.n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// TestOver answers the examples of a data set with several numbers of ranks: rank 0 gets the same bits.
func TestOver(t *testing.T) {
	x, code := rows(75)
	set, err := data.NewSet(data.Field{Name: "code", Array: data.Array{Data: code.I32(), Shape: code.Shape()}}, data.Field{Name: "x", Array: data.Array{Data: x.F32(), Shape: x.Shape()}},
		data.Field{Name: "label", Array: data.Array{Data: code.I32(), Shape: code.Shape()}})
	if err != nil {
		t.Fatal(err)
	}
	answers := func(ranks int, set *data.Set, ctx context.Context) (all []float32, errs []error) {
		errs = disttest.Run(ranks, disttest.Options{}, func(c dist.Comm) error {
			p, err := predict.New(newNetwork().build, predict.Options{Sizes: []int{1, 8}})
			if err != nil {
				return err
			}
			return p.Over(ctx, c, set, 10, func(out tarn.Results) error {
				all = append(all, out["logits"].F32()...)
				return nil
			})
		})
		return all, errs
	}
	want, errs := answers(1, set, t.Context())
	if errs[0] != nil || len(want) != 75*3 {
		t.Fatalf("%d numbers, %v", len(want), errs[0])
	}
	for _, ranks := range []int{2, 3, 4} {
		got, errs := answers(ranks, set, t.Context())
		if err := errors.Join(errs...); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d ranks: %d numbers, %v", ranks, len(got), err)
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	other, err := data.NewSet(data.Field{Name: "x", Array: data.Array{Data: x.F32(), Shape: x.Shape()}})
	if err != nil {
		t.Fatal(err)
	}
	single, err := predict.New(newNetwork().build, predict.Options{Sizes: []int{8}})
	if err != nil {
		t.Fatal(err)
	}
	if err := single.Over(nil, nil, set, 10, func(tarn.Results) error { return nil }); err != nil { //lint:ignore SA1012 as Run, Over takes nil for the context that is never canceled
		t.Errorf("without a context: %v", err)
	}
	if err := single.Over(nil, nil, nil, 10, nil); err == nil || !strings.Contains(err.Error(), "the data set is nil") { //lint:ignore SA1012 see above
		t.Errorf("without a data set: %v", err)
	}
	for want, test := range map[string]struct {
		set *data.Set
		ctx context.Context
	}{"no field of that name": {other, t.Context()}, "canceled": {set, canceled}} {
		_, errs := answers(3, test.set, test.ctx)
		for r, err := range errs {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("rank %d: %v, want %q", r, err, want)
			}
		}
	}
}
