package main

import (
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn/data"
)

// This file holds the search for the learning rate of each optimizer in a race.

// tuneFactors are what the rate of an optimizer is multiplied by.
var tuneFactors = []float64{1. / 3, 1, 3}

// tune tries rates for each optimizer with the first seed, prints the results and returns the optimizers with the best rates.
// It evaluates on examples that are neither trained on nor used for the race's last column.
func (c *raceCommand) tune(env *environment, who []contender, set, valid *data.Set) (tuned []contender, err error) {
	w := env.stdout
	fmt.Fprintf(w, "loss on %d validation examples after one epoch, by rate\n%-18s", valid.Len(), "optimizer")
	for _, factor := range tuneFactors {
		fmt.Fprintf(w, " %20s", fmt.Sprintf("rate x %.2g", factor))
	}
	fmt.Fprintf(w, " %9s\n", "chosen")
	edge := false
	for _, one := range who {
		fmt.Fprintf(w, "%-18s", one.name)
		best, lowest, own := one, math.Inf(1), one.rate
		for _, factor := range tuneFactors {
			one.rate = own * factor
			a, err := c.run(env, one, c.Seed, 1, set, valid)
			if err != nil {
				return nil, fmt.Errorf("%s at the rate %.3g: %w", one.name, one.rate, err)
			}
			if a.broken {
				a.loss = math.NaN()
			}
			fmt.Fprintf(w, " %20s", fmt.Sprintf("%.3g: %s", one.rate, shownValue(a.loss)))
			if a.loss < lowest {
				best, lowest = one, a.loss
			}
		}
		edge = edge || best.rate != own
		fmt.Fprintf(w, " %9.3g\n", best.rate)
		tuned = append(tuned, best)
	}
	if edge {
		fmt.Fprintln(w, "if the smallest or the largest rate was chosen, one beyond it may be better still")
	}
	fmt.Fprintln(w)
	return tuned, nil
}
