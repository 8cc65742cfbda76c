package optim_test

import (
	"os"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/alloctest"
	"github.com/seed-49005b45/tarn/optim"
)

// This file tests, over the table of all optimizers, that steps allocate nothing: neither those in which matrices are factored nor those in between.

// TestNoAllocation takes as many steps as each optimizer needs to do all that it does only now and then.
func TestNoAllocation(t *testing.T) {
	if words := os.Getenv("TARN_DEBUG"); words != "" && words != "verify" {
		t.Skip("a program that TARN_DEBUG checks allocates")
	}
	check := func(name string, make func() optim.Optimizer, p *problem) {
		t.Run(name, func(t *testing.T) {
			program, batch := p.compile(t, make(), p.rows), p.batch()
			results := tarn.Results{}
			if n := alloctest.PerRun(1, func() {
				for range 24 {
					if err := program.RunInto(t.Context(), results, batch...); err != nil {
						t.Fatal(err)
					}
				}
			}); n != 0 {
				t.Errorf("24 steps allocate %v times", n)
			}
		})
	}
	for name, make := range makers {
		check(name, make, network(tarn.F32))
	}
	for name, make := range secondOrder {
		check(name+" of matrices", make, matrices(tarn.F64))
	}
	check("kfac of convolutions", func() optim.Optimizer {
		o := optim.NewKFAC(0.1)
		o.Targets, o.Every, o.FactorsEvery = optim.ClassesOf("logits"), 4, 2
		return o
	}, smallCNN(tarn.F32))
}
