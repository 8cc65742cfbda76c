package optim_test

import (
	"testing"

	"github.com/seed-49005b45/tarn/internal/declared"
)

// This file checks that the tables are complete: each optimizer and transform goes through the tests of makers, each schedule is
// compared at its ends, and each has a mistake that it reports.

func TestTablesAreComplete(t *testing.T) {
	p := declared.Read(t, ".")
	optimizers := p.TypesWith("Update")
	p.Check("optimizer", optimizers.Join(p.Constructors(optimizers)), "makers")
	transforms := p.TypesWith("Apply")
	p.Check("transform", transforms.Join(p.Constructors(transforms)), "makers")
	p.Check("mistake of an optimizer or transform", optimizers.Join(transforms), "TestMistakes")

	schedules := p.TypesWith("At")
	p.Check("schedule", schedules.Join(p.Constructors(schedules)).Without(t, "ScheduleFunc"), "TestSchedulesEqualPyTorch", "TestFurtherSchedulesEqualPyTorch", "TestCyclesEqualReferences", "TestPlateau")
	p.Check("end of a schedule", schedules, "TestScheduleEnds", "TestPlateau")
	p.Check("mistake of a schedule", schedules, "TestScheduleMistakes")
}
