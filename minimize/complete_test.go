package minimize_test

import (
	"testing"

	"github.com/seed-49005b45/tarn/internal/declared"
)

// This file checks that the tables have every method.

func TestTablesAreComplete(t *testing.T) {
	p := declared.Read(t, ".")
	all := p.TypesWith("search")
	p.Check("method", all, "methods", "TestSquares", "TestManyMinima")
	p.Check("mistake of a method", all.Without(t, "BFGS", "ConjugateGradient", "GradientDescent"), "TestMistakes") // which have no settings that could be wrong
}
