// Command logger trains a small network and posts what the training reports to a server, as a sink of your own for MLflow,
// Weights & Biases or a dashboard would.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
	"github.com/seed-49005b45/tarn/watch"
)

// Poster is a train.Logger that posts each line to a server, as JSON. A server that is not there costs the training no more than the
// line: a Poster counts what it could not deliver and returns no error.
type Poster struct {
	URL    string
	Client http.Client
	Lost   int
}

// Begin posts the description of the training: its settings, params and layers.
func (p *Poster) Begin(h watch.Header) error {
	p.post(watch.Line{Header: &h})
	return nil
}

// Log posts a look, the end of an epoch or a verdict.
func (p *Poster) Log(l watch.Line) error {
	p.post(l)
	return nil
}

// End posts how the training ended.
func (p *Poster) End(err error) error {
	state := "finished"
	if err != nil {
		state = err.Error()
	}
	p.post(map[string]string{"end": state})
	return nil
}

func (p *Poster) post(what any) {
	text, err := json.Marshal(what)
	if err == nil {
		var answer *http.Response
		if answer, err = p.Client.Post(p.URL, "application/json", bytes.NewReader(text)); err == nil {
			answer.Body.Close()
			if answer.StatusCode/100 != 2 {
				err = fmt.Errorf("the server answers %s", answer.Status)
			}
		}
	}
	if err != nil {
		p.Lost++
	}
}

// learnCubic trains a network on a cubic polynomial and returns its last loss.
func learnCubic(ctx context.Context, logger train.Logger) (loss float64, err error) {
	const n = 512
	x, y := tarn.Zeros(tarn.F32, n, 1), tarn.Zeros(tarn.F32, n, 1)
	tarn.NewRandom(1, "x").Uniform(x, -1, 1)
	for i, at := range x.F32() {
		y.F32()[i] = at * (1 - at*at) * 2
	}
	set, err := data.NewSet(
		data.Field{Name: "x", Array: data.Array{Shape: []int{n, 1}, Data: x.F32()}},
		data.Field{Name: "label", Array: data.Array{Shape: []int{n, 1}, Data: y.F32()}})
	if err != nil {
		return 0, err
	}
	model := nn.NewSequential(nn.NewLinear(1, 32), nn.Tanh{}, nn.NewLinear(32, 1))
	if err := tarn.Init(model, 1); err != nil {
		return 0, err
	}
	build := func(g *tarn.Graph, n int) tarn.Outputs {
		x, y := g.Input("x", tarn.F32, n, 1), g.Input("label", tarn.F32, n, 1)
		return tarn.Outputs{"loss": nn.MSE(model.Forward(x), y)}
	}
	loop := train.NewLoop(build, model, optim.NewAdam(0.01), set)
	loop.Epochs, loop.Batch, loop.Loggers = 20, 32, []train.Logger{logger}
	for p, err := range loop.Run(ctx) {
		if err != nil {
			return 0, err
		}
		loss = p.MeanLoss
	}
	return loss, nil
}

func main() {
	url := flag.String("to", "http://localhost:8080/", "address of the server that takes the lines")
	flag.Parse()
	poster := &Poster{URL: *url, Client: http.Client{Timeout: time.Second}}
	loss, err := learnCubic(context.Background(), poster)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("loss %.5f; %d lines could not be delivered\n", loss, poster.Lost)
}
