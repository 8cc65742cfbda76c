package train

import "math"

// This file decides when to stop.

// EarlyStopping ends a training when the validation loss, or another number, has not improved for Patience epochs. It is
// a plain value: what it has seen is in its fields, which a checkpoint keeps.
type EarlyStopping struct {
	Patience int     // epochs without an improvement before the training ends
	MinDelta float64 // an improvement is larger than this

	Seen      bool    // whether there was a number yet
	Best      float64 // the best number
	BestEpoch int     // the epoch it came from
	Waited    int     // epochs since
}

// Observe takes an epoch's number, smaller being better, and reports whether it is the best so far. A NaN or an infinity
// never is.
func (s *EarlyStopping) Observe(epoch int, value float64) bool {
	if !math.IsNaN(value) && !math.IsInf(value, 0) && (!s.Seen || value < s.Best-s.MinDelta) {
		s.Seen, s.Best, s.BestEpoch, s.Waited = true, value, epoch, 0
		return true
	}
	s.Waited++
	return false
}

// Stop reports whether the patience is used up.
func (s *EarlyStopping) Stop() bool { return s.Waited >= s.Patience }
