package data

import (
	"testing"

	"github.com/seed-49005b45/tarn/internal/declared"
)

// This file checks that the tables have every transform.

func TestTablesAreComplete(t *testing.T) {
	p := declared.Read(t, ".")
	transforms := p.TypesWith("Bind")
	p.Check("transform", transforms, "TestTransforms")
	p.Check("mistake of a transform", transforms, "TestTransformMistakes")
}
