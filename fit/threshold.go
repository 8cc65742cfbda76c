package fit

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn/internal/list"
)

// This file chooses the probability from which on the second of two classes is chosen.

// cut is Options.Threshold as it was said.
type cut struct {
	at            float64 // the threshold itself, or 0 if one is to be found
	f1            bool
	wrong, missed float64 // costs
}

// threshold reads Options.Threshold.
func (o *Options) threshold() (cut, error) {
	bad := fmt.Errorf("fit: threshold %s: it must be a number between 0 and 1, f1, or cost:A:B, where A is what a wrong second class costs and B what a missed one costs", list.Quote(o.Threshold))
	switch rest, costs := strings.CutPrefix(o.Threshold, "cost:"); {
	case o.Threshold == "":
		return cut{at: 0.5}, nil
	case o.Threshold == "f1":
		return cut{f1: true}, nil
	case costs:
		a, b, found := strings.Cut(rest, ":")
		wrong, err1 := strconv.ParseFloat(a, 64)
		missed, err2 := strconv.ParseFloat(b, 64)
		if !found || err1 != nil || err2 != nil || !(wrong > 0 && wrong < 1e12) || !(missed > 0 && missed < 1e12) {
			return cut{}, bad
		}
		return cut{wrong: wrong, missed: missed}, nil
	}
	at, err := strconv.ParseFloat(o.Threshold, 64)
	if err != nil || !(at > 0 && at < 1) {
		return cut{}, bad
	}
	return cut{at: at}, nil
}

// chooseThreshold returns the threshold that the options ask for, by answers about rows whose classes are known.
func (p *problem) chooseThreshold(class []int32, answers []float64) float64 {
	t, err := p.options.threshold()
	if err != nil || len(p.classes) != 2 {
		return 0.5
	}
	if t.at > 0 {
		return t.at
	}
	order := make([]int, len(class))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(answers[2*b+1], answers[2*a+1]) }) // from the largest
	positive := 0.0
	for _, c := range class {
		positive += float64(c)
	}
	// The rows up to one are taken for the second class.
	best, at := 0.0, 0.5
	var right, wrong float64
	for i, row := range order {
		if class[row] == 1 {
			right++
		} else {
			wrong++
		}
		here := answers[2*row+1]
		next := 0.0
		if i+1 < len(order) {
			if next = answers[2*order[i+1]+1]; next == here {
				continue
			}
		}
		score := 2 * right / (right + wrong + positive)
		if !t.f1 {
			score = t.missed*right - t.wrong*wrong // what is saved against taking no row for it
		}
		if score > best {
			best, at = score, (here+next)/2
		}
	}
	if best == 0 { // nothing is better than taking no row for the second class
		return min(1, answers[2*order[0]+1]+1e-9)
	}
	return at
}
