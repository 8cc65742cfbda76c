package nn_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

// TestPlaceOfNestedLayers checks that a value, and a mistake, deep in layers have the place in the user's program.
func TestPlaceOfNestedLayers(t *testing.T) {
	for _, depth := range []int{1, 5, 20, 21, 22, 23, 24, 30, 200, 1000} {
		for _, broken := range []bool{false, true} {
			layers := []nn.Layer{nn.NewLinear(4, 4)}
			if broken {
				layers = append(layers, nn.NewLinear(3, 4))
			}
			s := nn.NewSequential(layers...)
			for range depth {
				s = nn.NewSequential(s)
			}
			g := tarn.NewGraph()
			y := apply(s, g.Input("x", tarn.F32, 2, 4))
			if !strings.HasPrefix(y.Place(), "place_test.go:") {
				t.Errorf("%d layers deep the place is %q", depth, y.Place())
			}
			err := g.Err()
			if !broken {
				if err != nil {
					t.Fatal(err)
				}
				continue
			}
			if want := "called from place_test.go:"; err == nil || !strings.Contains(err.Error(), y.Place()+": nn.Sequential.Forward: ") || !strings.Contains(err.Error(), want) {
				t.Errorf("%d layers deep the report is %v; want %q and %q", depth, err, y.Place(), want)
			}
		}
	}
}

func apply(l nn.Layer, x *tarn.Value) *tarn.Value { return l.Forward(x) }

// BenchmarkPlace measures what recording a place costs, which grows with the depth of the layers and no faster.
func BenchmarkPlace(b *testing.B) {
	for _, depth := range []int{1, 30, 200} {
		b.Run(fmt.Sprint(depth), func(b *testing.B) {
			s := nn.NewSequential(nn.ReLU{})
			for range depth {
				s = nn.NewSequential(s)
			}
			for b.Loop() {
				s.Forward(tarn.NewGraph().Input("x", tarn.F32, 1))
			}
		})
	}
}
