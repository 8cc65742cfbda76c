package bench

import (
	"bytes"
	"fmt"

	"github.com/seed-49005b45/tarn/internal/plot"
)

// This file draws a comparison: for every workload a bar for each peer, as long as the logarithm of its time over Tarn's. Bars
// to the right are of peers that take longer, bars to the left of those that are faster.

// picture returns the comparison as a PNG.
func (r *report) picture() ([]byte, error) {
	b := plot.Bars{Title: fmt.Sprintf("time of a step over Tarn's, %d threads", r.Threads)}
	row, own := map[string]int{}, map[string]float64{}
	for _, x := range r.Results {
		if x.Engine == tarnEngine && x.Result != nil {
			row[x.Workload], own[x.Workload] = len(b.Rows), x.Result.MedianUS
			b.Rows = append(b.Rows, x.Workload)
		}
	}
	for _, engine := range r.Engines[1:] {
		s := plot.Series{Name: engine, Ratios: make([]float64, len(b.Rows))}
		for _, x := range r.Results {
			if x.Engine == engine && x.Result != nil && own[x.Workload] > 0 {
				s.Ratios[row[x.Workload]] = x.Result.MedianUS / own[x.Workload]
			}
		}
		b.Series = append(b.Series, s)
	}
	var picture bytes.Buffer
	if err := plot.WriteBars(&picture, b); err != nil {
		return nil, fmt.Errorf("bench: the picture: %w", err)
	}
	return picture.Bytes(), nil
}
