package declared_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn/internal/declared"
)

// report collects what a check reports in place of failing.
type report struct {
	testing.TB
	errors int
}

func (r *report) Helper()               {}
func (r *report) Errorf(string, ...any) { r.errors++ }

// TestCheck reads this package itself: its one type with a method Tests, and this file as the tables.
func TestCheck(t *testing.T) {
	r := &report{TB: t}
	p := declared.Read(r, ".")
	types := p.TypesWith("Tests")
	if got := slices.Collect(maps.Keys(types)); !slices.Equal(got, []string{"Package"}) {
		t.Fatalf("the types with a method Tests are %q", got)
	}
	if got := slices.Collect(maps.Keys(p.FuncsWith("func(testing.TB, string) *Package"))); !slices.Equal(got, []string{"Read"}) {
		t.Errorf("the functions of that type are %q", got)
	}
	p.Check("type", types, "tableOfTypes")
	if r.errors != 0 {
		t.Error("a name that is in a function which the table names counts as missing")
	}
	p.Check("type", types, "tableOfNothing")
	p.Check("type", types, "noTable") // which is two mistakes
	p.Check("type", declared.Names{}, "tableOfTypes")
	if r.errors != 4 {
		t.Errorf("%d mistakes are reported, want 4", r.errors)
	}
}

var (
	tableOfTypes   = []any{newOne}
	tableOfNothing = []any{}
)

func newOne() any { return declared.Package{} }
