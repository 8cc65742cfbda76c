package train

import (
	"context"
	"testing"

	"github.com/seed-49005b45/tarn/optim"
)

// TestAverages trains with averaged weights and a schedule that follows the evaluation, unbroken and interrupted: losses are
// those of the averages, and the model ends with them.
func TestAverages(t *testing.T) {
	for _, early := range []bool{false, true} {
		averaged := func() (*Loop, *optim.Plateau) {
			l := loop()
			plateau := optim.NewPlateau(optim.Constant(0.05))
			plateau.Patience, plateau.Threshold, plateau.Factor = 0, 0.5, 0.5
			opt := optim.NewAdam(0)
			opt.Rate, opt.After = plateau, []optim.Transform{optim.EMA{Decay: 0.9}}
			l.Optimizer = opt
			if !early {
				l.EarlyStopping = nil
			}
			return l, plateau
		}
		whole, plateau := averaged()
		whole.Folder = folder(t)
		finish(t, whole)
		h := whole.History()
		last := h[len(h)-1]
		if early {
			last = h[whole.EarlyStopping.BestEpoch-1]
		}
		eval, _ := NewEval(whole.Build)
		if loss, err := eval.Measure(context.Background(), whole.Valid, 8, "y"); err != nil || loss != last.ValLoss {
			t.Errorf("the final model has the loss %v, %v; the log has %v", loss, err, last.ValLoss)
		}
		if plateau.Scale() == 1 || h[len(h)-1].LR >= h[0].LR {
			t.Errorf("the rates do not follow the evaluation: scale %v, rates %v to %v", plateau.Scale(), h[0].LR, h[len(h)-1].LR)
		}
		f := folder(t)
		for turn := 1; ; turn += 9 {
			l, _ := averaged()
			l.Folder = f
			ctx, cancel := context.WithCancel(context.Background())
			var last error
			n := 0
			for _, err := range l.Run(ctx) {
				if n++; n == turn {
					cancel()
				}
				last = err
			}
			cancel()
			if last == nil {
				break
			}
		}
		sameRun(t, "interrupted", f, whole.Folder)
	}
}
