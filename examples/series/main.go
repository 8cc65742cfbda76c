// Command series forecasts a series that looks like chance and is not: the equation of Mackey and Glass, by a recurrent network that sees windows of its past.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data/series"
	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

const past, horizon = 32, 8 // steps that are seen, and that are forecast

// mackeyGlass is dx/dt = 0.2 x(t-17) / (1 + x(t-17)^10) - 0.1 x(t), in steps of one, less its mean and divided by its deviation.
func mackeyGlass(n int) (y []float64) {
	x := slices.Repeat([]float64{1.2}, n)
	for t := 18; t < n; t++ {
		x[t] = 0.9*x[t-1] + 0.2*x[t-18]/(1+math.Pow(x[t-18], 10))
		y = append(y, (x[t]-0.925)/0.235)
	}
	return y[400:] // without the beginning
}

// Net is a GRU and a linear layer, which tells how far the next values are from the last one.
type Net struct {
	GRU *nn.GRU
	Out *nn.Linear
}

// Build describes the model on n windows: its forecast and its loss.
func (m *Net) Build(g *tarn.Graph, n int) tarn.Outputs {
	x, next := g.Input("past", tarn.F64, n, past, 1).Cast(tarn.F32), g.Input("next", tarn.F64, n, horizon).Cast(tarn.F32)
	last := func(v *tarn.Value) *tarn.Value { return v.Slice(1, past-1, past).Reshape(n, -1) }
	forecast := last(x).Add(m.Out.Forward(last(m.GRU.Forward(x))))
	return tarn.Outputs{"prediction": forecast, "loss": nn.MSE(forecast, next)}
}

// run learns from the first four fifths of the series, and returns the root mean square of the forecast's error at the rest.
func run(epochs int) (float64, error) {
	t, err := table.New(table.Numbers("x", mackeyGlass(4000)...))
	if err != nil {
		return 0, err
	}
	all, err := series.Read(t, series.Options{Columns: []string{"x"}})
	windows, _, err2 := series.Windows(all, past, horizon, 1)
	if err := errors.Join(err, err2); err != nil {
		return 0, err
	}
	early, err := windows.Slice(0, 2800)
	late, err2 := windows.Slice(2800+horizon, windows.Len())
	m := &Net{nn.NewGRU(1, 32, nn.RecurrentOptions{}), nn.NewLinear(32, horizon)}
	if err := errors.Join(err, err2, tarn.Init(m, 1)); err != nil {
		return 0, err
	}
	loop := train.NewLoop(m.Build, m, optim.NewAdam(5e-3), early)
	loop.Valid, loop.Epochs, loop.Batch = late, epochs, 32
	for _, err := range loop.Run(context.Background()) {
		if err != nil {
			return 0, err
		}
	}
	return math.Sqrt(loop.History()[epochs-1].ValLoss), nil
}

func main() {
	wrong, err := run(20)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("forecasts of %d steps are wrong by %.4f deviations of the series\n", horizon, wrong)
}
