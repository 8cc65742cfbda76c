package nn_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

// This file calls the methods of every exported type of package nn on its zero value, and on nil. Nothing panics, and what fails is an
// error with its place.

// zeroes are pointers to zero values of all types with methods.
var zeroes = []any{
	new(nn.AdaptiveAvgPool), new(nn.AvgPool), new(nn.BCELoss), new(nn.BCEWithLogitsLoss), new(nn.BatchNorm), new(nn.CELU), new(nn.CTCLoss), new(nn.ChannelsFirst),
	new(nn.ChannelsLast), new(nn.Conv), new(nn.ConvTranspose), new(nn.CrossEntropyLoss), new(nn.DropPath), new(nn.Dropout), new(nn.Dropout2d), new(nn.ELU),
	new(nn.Embedding), new(nn.Flatten), new(nn.Func), new(nn.GELU), new(nn.GELUTanh), new(nn.GPT), new(nn.GRU), new(nn.Generator), new(nn.GlobalAvgPool),
	new(nn.GlobalMaxPool), new(nn.GroupNorm), new(nn.HardSigmoid), new(nn.HardSwish), new(nn.HardTanh), new(nn.HingeLoss), new(nn.HuberLoss), new(nn.InstanceNorm),
	new(nn.KLLoss), new(nn.LSTM), new(nn.LayerNorm), new(nn.LeakyReLU), new(nn.LearnedPosition), new(nn.Linear), new(nn.LogSoftmax), new(nn.LpPool), new(nn.MAELoss),
	new(nn.MSELoss), new(nn.MaxPool), new(nn.Mish), new(nn.MultiHeadAttention), new(nn.MultiMarginLoss), new(nn.NLLLoss), new(nn.PixelShuffle), new(nn.RMSNorm), new(nn.RNN),
	new(nn.ReLU), new(nn.Recurrent), new(nn.RotaryPosition), new(nn.SELU), new(nn.Sequential), new(nn.SiLU), new(nn.Sigmoid), new(nn.SinusoidalPosition),
	new(nn.SmoothL1Loss), new(nn.Softmax), new(nn.Softplus), new(nn.Softsign), new(nn.SpectralNorm), new(nn.Tanh), new(nn.TransformerDecoder),
	new(nn.TransformerDecoderLayer), new(nn.TransformerEncoder), new(nn.TransformerEncoderLayer), new(nn.Upsample), new(nn.WeightNoise), new(nn.WeightNorm), new(nn.Writer), new(nn.Writers),
	new(nn.AdaptiveMaxPool), new(nn.Bilinear), new(nn.EmbeddingBag), new(nn.FakeQuantize), new(nn.GLU), new(nn.GRUCell), new(nn.GeGLU), new(nn.Identity), new(nn.LSTMCell),
	new(nn.LoRA), new(nn.MaxUnpool), new(nn.PReLU), new(nn.PaddingMode), new(nn.RNNCell), new(nn.ReLU6), new(nn.RecurrentCell), new(nn.SwiGLU), new(nn.Transformer),
	new(nn.CosineEmbeddingLoss), new(nn.DiceLoss), new(nn.FocalLoss), new(nn.GaussianNLLLoss), new(nn.HingeEmbeddingLoss), new(nn.InfoNCELoss), new(nn.MarginRankingLoss),
	new(nn.MultiLabelMarginLoss), new(nn.MultiLabelSoftMarginLoss), new(nn.NTXentLoss), new(nn.PoissonNLLLoss), new(nn.QuantileLoss), new(nn.SoftMarginLoss), new(nn.TripletMarginLoss),
}

func TestZeroValues(t *testing.T) {
	for _, zero := range zeroes {
		typ := reflect.TypeOf(zero)
		for i := range typ.NumMethod() {
			m := typ.Method(i)
			t.Run(typ.Elem().Name()+"."+m.Name, func(t *testing.T) {
				callZero(t, m.Func, reflect.ValueOf(zero))
				if method, _ := typ.Elem().MethodByName(m.Name); !method.Func.IsValid() {
					callZero(t, m.Func, reflect.Zero(typ))
				}
			})
		}
	}
	t.Run("Sequential of nil", func(t *testing.T) {
		for _, l := range []nn.Layer{nil, nn.Func(nil), (*nn.Linear)(nil)} {
			callZero(t, reflect.ValueOf((*nn.Sequential).Forward), reflect.ValueOf(nn.NewSequential(l)))
		}
	})
}

// callZero calls a method with values of all ranks, and with nil.
func callZero(t *testing.T, f, receiver reflect.Value) {
	for rank := range 7 {
		g := tarn.NewGraph()
		in := []reflect.Value{receiver}
		for i := 1; i < f.Type().NumIn(); i++ {
			arg := reflect.Zero(f.Type().In(i))
			if arg.Type() == reflect.TypeFor[*tarn.Value]() && rank < 6 {
				arg = reflect.ValueOf(g.Input(fmt.Sprint(i), tarn.F32, []int{2, 4, 4, 4, 4}[:rank%5]...))
				if rank == 5 {
					arg = reflect.ValueOf(g.Input(fmt.Sprint(i, "tokens"), tarn.I32, 2, 3))
				}
			}
			in = append(in, arg)
		}
		func() {
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("rank %d of %v panics: %v", rank, receiver, r)
				}
			}()
			call := f.Call
			if f.Type().IsVariadic() {
				call = f.CallSlice
			}
			for _, out := range call(in) {
				v, ok := out.Interface().(*tarn.Value)
				if !ok || v == nil {
					continue
				}
				p, err := tarn.Compile(v.Graph(), tarn.Outputs{"v": v})
				if p == nil && (!strings.Contains(err.Error(), "nopanic_test.go:") || strings.Contains(err.Error(), "unknown place")) {
					t.Errorf("rank %d of %v: the report is %v", rank, receiver, err)
				}
			}
		}()
	}
}

// TestZeroValuesAreComplete fails if an exported type with methods has no row above.
func TestZeroValuesAreComplete(t *testing.T) {
	known := map[string]bool{}
	for _, zero := range zeroes {
		known[reflect.TypeOf(zero).Elem().Name()] = true
	}
	packages, err := parser.ParseDir(token.NewFileSet(), ".", func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range packages["nn"].Files {
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || !f.Name.IsExported() {
				continue
			}
			typ := f.Recv.List[0].Type
			if star, ok := typ.(*ast.StarExpr); ok {
				typ = star.X
			}
			if name := typ.(*ast.Ident).Name; ast.IsExported(name) && !known[name] {
				t.Errorf("the zero value of %s is not called", name)
			}
		}
	}
}
