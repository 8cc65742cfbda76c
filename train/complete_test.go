package train

import (
	"testing"

	"github.com/seed-49005b45/tarn/internal/declared"
)

// This file checks that the tables have every metric.

func TestTablesAreComplete(t *testing.T) {
	p := declared.Read(t, ".")
	metrics := p.TypesWith("Add")
	p.Check("metric", metrics, "TestMetrics")
	p.Check("mistake of a metric", metrics, "TestMetricErrors")
	p.Check("metric in batches", metrics, "TestMetricBatches")
}
