package pass_test

import (
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/pass"
)

// TestArrange checks that an order which breaks a constraint of the table is refused.
func TestArrange(t *testing.T) {
	run := func(*ir.Graph) {}
	table := []pass.Pass{
		{Name: "sweep", Run: run, Repeats: true},
		{Name: "fold", Run: run, After: []string{"sweep"}, Before: []string{"sweep", "last"}},
		{Name: "last", Run: run},
	}
	tests := []struct{ name, order, want string }{
		{"as it should be", "sweep fold sweep last", ""},
		{"with more runs of what may repeat", "sweep fold last sweep sweep", ""},
		{"too early", "fold sweep last", "fold runs before any sweep"},
		{"too late", "sweep sweep fold last", "fold runs after the last sweep"},
		{"the second constraint", "sweep last fold sweep", "fold runs after the last last"},
		{"twice", "sweep fold sweep fold sweep last", "fold runs twice and may not repeat"},
		{"one missing", "sweep fold sweep", "fold runs after the last last"},
		{"one that never runs", "sweep last", "fold is in the table and never runs"},
		{"one that is unknown", "sweep fold polish sweep last", `"polish", which is not in the table`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			order := strings.Fields(tt.order)
			got, err := pass.Arrange(table, order)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got the error %v, want %q", err, tt.want)
			}
			for i, p := range got {
				if p.Name != order[i] {
					t.Errorf("pass %d is %s and should be %s", i, p.Name, order[i])
				}
			}
		})
	}
}

// TestOrderMatters checks the constraints of the real table: neighbors that are named in each other's constraints cannot be exchanged.
func TestOrderMatters(t *testing.T) {
	var order []string
	for _, p := range pass.Passes {
		order = append(order, p.Name)
	}
	if _, err := pass.Arrange(pass.Passes, order); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ order, want string }{
		{"prune identities lookups scales fold identities merge prune bodies merge", "lookups runs before any fold"},
		{"prune identities fold identities merge lookups scales prune bodies", "lookups runs after the last merge"},
		{"prune identities fold identities lookups scales bodies merge prune", "bodies runs before any merge"},
		{"prune identities identities fold lookups scales merge prune bodies merge", "fold runs after the last identities"},
		{"prune identities fold identities lookups scales merge prune bodies", "bodies runs after the last merge"},
		{"prune identities fold identities scales lookups merge prune bodies merge", "scales runs before any lookups"},
		{"prune identities fold fold identities lookups scales merge prune bodies merge", "fold runs twice"},
	} {
		if _, err := pass.Arrange(pass.Passes, strings.Fields(tt.order)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("the order %s: got %v, want %q", tt.order, err, tt.want)
		}
	}
}
