package progress

import "math"

// This file holds the sparkline, a curve of the loss in a few characters.

// sparkWidth is the number of its characters.
const sparkWidth = 12

// spark is the losses of a training as means over equally many batches each, at most sparkWidth of them.
type spark struct {
	means []float64
	each  int // batches in a mean
	last  int // in the last one, which may have fewer
}

// add takes the loss of a batch. One that is not finite is left out.
func (s *spark) add(loss float64) {
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return
	}
	s.each = max(1, s.each)
	if len(s.means) > 0 && s.last < s.each {
		s.last++
		mean := &s.means[len(s.means)-1]
		*mean += (loss - *mean) / float64(s.last)
		return
	}
	if len(s.means) == sparkWidth { // all are full: two become one
		for i := range sparkWidth / 2 {
			s.means[i] = s.means[2*i]/2 + s.means[2*i+1]/2
		}
		s.means = s.means[:sparkWidth/2]
		s.each *= 2
	}
	s.means, s.last = append(s.means, loss), 1
}

// String draws the means from the lowest to the highest, or "" if there are fewer than two.
func (s *spark) String() string {
	if len(s.means) < 2 {
		return ""
	}
	low, high := s.means[0], s.means[0]
	for _, x := range s.means {
		low, high = min(low, x), max(high, x)
	}
	steps := []rune("▁▂▃▄▅▆▇█")
	out := make([]rune, len(s.means))
	for i, x := range s.means {
		at := 0.0
		if high > low {
			at = (x/2 - low/2) / (high/2 - low/2) // halves, which do not overflow
		}
		out[i] = steps[min(len(steps)-1, int(at*float64(len(steps))))]
	}
	return string(out)
}
