package optim_test

import (
	"fmt"
	"log"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// Minimize (w - 3)^2, and show how the rate warms up and falls.
func Example() {
	w := tarn.NewParam(tarn.F64, nil)
	params, err := tarn.Params(map[string]*tarn.Param{"w": w})
	if err != nil {
		log.Fatal(err)
	}
	opt := optim.NewAdam(0)
	opt.Rate = optim.Warmup{Steps: 5, Then: optim.Cosine{Rate: 0.5, Steps: 95}}

	g := tarn.NewGraph()
	loss := w.Value(g).Sub(tarn.Num(3)).Square()
	updates, err := opt.Update(loss, params)
	if err != nil {
		log.Fatal(err)
	}
	step, err := tarn.Compile(g, tarn.Outputs{"loss": loss}, updates...)
	if err != nil {
		log.Fatal(err)
	}
	for run := range int64(100) {
		out, err := step.Run()
		if err != nil {
			log.Fatal(err)
		}
		if run%33 == 0 {
			rate, _ := opt.RateAt(run)
			fmt.Printf("run %2d  rate %.3f  loss %.6f\n", run, rate, out["loss"].Item())
		}
	}
	fmt.Printf("w = %.3f\n", w.Tensor().Item())
	states, err := opt.States()
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range states.All() {
		fmt.Println(s)
	}
	// Output:
	// run  0  rate 0.100  loss 9.000000
	// run 33  rate 0.400  loss 0.259069
	// run 66  rate 0.142  loss 0.000133
	// run 99  rate 0.000  loss 0.000641
	// w = 2.975
	// adam.m/w f64[]
	// adam.v/w f64[]
}
