package train_test

import (
	"context"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

// The model of the examples tells points inside of a circle from those outside.
type model struct{ Hidden, Out *nn.Linear }

func newModel() *model {
	m := &model{nn.NewLinear(2, 16), nn.NewLinear(16, 2)}
	if err := tarn.Init(m, 1); err != nil {
		log.Fatal(err)
	}
	return m
}

func (m *model) Forward(x *tarn.Value) *tarn.Value {
	return m.Out.Forward(m.Hidden.Forward(x).Tanh())
}

// build is the loss and the prediction for n examples; its inputs have the names of the data set's fields.
func (m *model) build(g *tarn.Graph, n int) tarn.Outputs {
	scores := m.Forward(g.Input("point", tarn.F32, n, 2))
	return tarn.Outputs{"loss": nn.CrossEntropy(scores, g.Input("label", tarn.I32, n)), "prediction": scores}
}

// points are n examples.
func points(n int, seed uint64) *data.Set {
	x, y := tarn.Zeros(tarn.F32, n, 2), tarn.Zeros(tarn.I32, n)
	tarn.NewRandom(seed, "points").Uniform(x, -1, 1)
	for i := range n {
		if math.Hypot(x.Float(2*i), x.Float(2*i+1)) < 0.75 {
			y.SetFloat(i, 1)
		}
	}
	set, err := data.NewSet(data.Field{Name: "point", Array: data.FromTensor(x)}, data.Field{Name: "label", Array: data.FromTensor(y)})
	if err != nil {
		log.Fatal(err)
	}
	return set
}

// A step is the forward pass, the backward pass and the update in one program.
func ExampleNewStep() {
	m := newModel()
	g := tarn.NewGraph()
	scores := m.Forward(g.Input("point", tarn.F32, 32, 2))
	step, err := train.NewStep(nn.CrossEntropy(scores, g.Input("label", tarn.I32, 32)), m, optim.NewAdam(0.02))
	if err != nil {
		log.Fatal(err)
	}
	batches := points(320, 1).Batches(32, data.Options{Shuffle: true, Epochs: 40})
	for r, err := range step.Over(context.Background(), batches) {
		if err != nil {
			log.Fatal(err)
		}
		if r.Run%100 == 0 {
			fmt.Printf("run %d  loss %.1f\n", r.Run, r.Loss)
		}
	}
	// Output:
	// run 100  loss 0.4
	// run 200  loss 0.2
	// run 300  loss 0.1
	// run 400  loss 0.1
}

// NewStepOf builds the loss for the batch sizes that come up, here 32 and, last in each epoch, 4.
func ExampleNewStepOf() {
	m := newModel()
	step, err := train.NewStepOf(m.build, m, optim.NewAdam(0.02))
	if err != nil {
		log.Fatal(err)
	}
	for r, err := range step.Over(context.Background(), points(100, 1).Batches(32, data.Options{Epochs: 1})) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.Run, r.Batch.N, r.Outputs["prediction"].Shape())
	}
	// Output:
	// 1 32 [32 2]
	// 2 32 [32 2]
	// 3 32 [32 2]
	// 4 4 [4 2]
}

// A loop trains for some epochs and measures on other examples after each. The body runs after every batch.
func ExampleLoop() {
	m := newModel()
	loop := train.NewLoop(m.build, m, optim.NewAdam(0.02), points(400, 1))
	loop.Valid, loop.Metrics = points(200, 2), []train.Metric{&train.Accuracy{}}
	loop.Epochs, loop.Batch, loop.Seed = 30, 32, 7
	for p, err := range loop.Run(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		if r := p.Record; r != nil && r.Epoch%10 == 0 { // there is a record at the end of each epoch
			fmt.Printf("epoch %d of %d, accuracy %.1f\n", r.Epoch, p.Epochs, r.Metrics["accuracy"])
		}
	}
	// Output:
	// epoch 10 of 30, accuracy 0.9
	// epoch 20 of 30, accuracy 0.9
	// epoch 30 of 30, accuracy 0.9
}

// An Eval runs the model forward over a whole set, each example counted once.
func ExampleEval_Measure() {
	m := newModel()
	eval, err := train.NewEval(m.build)
	if err != nil {
		log.Fatal(err)
	}
	var accuracy train.Accuracy
	loss, err := eval.Measure(context.Background(), points(150, 2), 32, "label", &accuracy)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("loss %.1f, accuracy %.1f before the training\n", loss, accuracy.Value())
	// Output:
	// loss 0.7, accuracy 0.5 before the training
}

// Over returns the outputs of each batch, as for predictions.
func ExampleEval_Over() {
	m := newModel()
	eval, err := train.NewEval(m.build)
	if err != nil {
		log.Fatal(err)
	}
	rows := 0
	for r, err := range eval.Over(context.Background(), points(100, 2).Batches(64, data.Options{Epochs: 1})) {
		if err != nil {
			log.Fatal(err)
		}
		rows += r.Outputs["prediction"].Shape()[0]
	}
	fmt.Println(rows, "predictions")
	// Output: 100 predictions
}

// A metric adds up batches, and is reset before the next set.
func ExampleMetric() {
	scores, err := tarn.FromSlice([]float32{
		0.9, 0.1, 0.0, // class 0
		0.2, 0.5, 0.3, // class 1
		0.6, 0.1, 0.3, // class 0, wrong: it is 2
		0.1, 0.2, 0.7, // class 2
	}, 4, 3)
	if err != nil {
		log.Fatal(err)
	}
	classes := tarn.Vector([]int32{0, 1, 2, 2})
	for _, m := range []train.Metric{&train.Accuracy{}, &train.TopK{K: 2}} {
		if err := m.Add(scores, classes); err != nil {
			log.Fatal(err)
		}
		fmt.Println(m.Name(), m.Value())
	}
	// Output:
	// accuracy 0.75
	// top_2 1
}

// The rows of the matrix are the true classes, the columns those that were predicted.
func ExampleConfusionMatrix() {
	scores, err := tarn.FromSlice([]float32{
		0.9, 0.1,
		0.8, 0.2,
		0.3, 0.7,
	}, 3, 2)
	if err != nil {
		log.Fatal(err)
	}
	var m train.ConfusionMatrix
	if err := m.Add(scores, tarn.Vector([]int32{0, 1, 1})); err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Counts)
	// Output: [[1 0] [1 1]]
}

// Within a Loop it is the field EarlyStopping; here it watches numbers of its own.
func ExampleEarlyStopping() {
	stop := train.EarlyStopping{Patience: 2, MinDelta: 0.01}
	for epoch, loss := range []float64{0.9, 0.6, 0.5, 0.495, 0.52, 0.4} {
		improved := stop.Observe(epoch, loss)
		fmt.Println(epoch, loss, improved)
		if stop.Stop() {
			break
		}
	}
	fmt.Println("the best was", stop.Best, "in epoch", stop.BestEpoch)
	// Output:
	// 0 0.9 true
	// 1 0.6 true
	// 2 0.5 true
	// 3 0.495 false
	// 4 0.52 false
	// the best was 0.5 in epoch 2
}

// With a folder a training is logged and keeps checkpoints. Another loop on the same folder resumes it: here to add two epochs to two,
// after an interruption to do the rest.
func ExampleFolder() {
	dir, err := os.MkdirTemp("", "tarn")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	folder, err := train.CreateFolder(filepath.Join(dir, "run"), map[string]int{"hidden": 16})
	if err != nil {
		log.Fatal(err)
	}
	for _, epochs := range []int{2, 4} {
		m := newModel()
		loop := train.NewLoop(m.build, m, optim.NewAdam(0.02), points(100, 1))
		loop.Epochs, loop.Batch, loop.Folder = epochs, 50, folder
		for p, err := range loop.Run(context.Background()) {
			if err != nil {
				log.Fatal(err)
			}
			if p.Record != nil {
				fmt.Println("epoch", p.Epoch, "run", p.Runs)
			}
		}
		if folder, err = train.OpenFolder(folder.Dir()); err != nil { // as another process would
			log.Fatal(err)
		}
	}
	history, err := folder.History()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(history), "epochs in the log")
	// Output:
	// epoch 1 run 2
	// epoch 2 run 4
	// epoch 3 run 6
	// epoch 4 run 8
	// 4 epochs in the log
}

// A range test raises the rate at each update and finds where the loss falls most steeply.
func ExampleRangeTest() {
	m := newModel()
	test := train.NewRangeTest(m.build, m, func(rate optim.Schedule) optim.Optimizer {
		o := optim.NewMomentum(0)
		o.Rate = rate
		return o
	}, points(400, 1))
	test.From, test.To, test.Batch = 1e-4, 100, 32
	curve, err := test.Run(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(curve.Steepest < curve.Lowest, len(curve.Rates) == len(curve.Losses))
	// Output: true true
}
