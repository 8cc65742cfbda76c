package fit

import "github.com/seed-49005b45/tarn/data/table"

// This file compares later rows with those that a model has learned from.

// Drift says for each feature how its values in t differ from those that the model has learned from, and which cannot be read. It is nil for models of pictures, texts and series.
func (m *Model) Drift(t *table.Table) []table.Drift {
	if m.medium != nil {
		return nil
	}
	return m.members[0].encoder.Drift(t)
}
