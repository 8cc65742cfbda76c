package doctor

import (
	"cmp"
	"slices"

	"github.com/seed-49005b45/tarn/watch"
)

// This file holds Judge and what a rule is. The rules themselves are in rules.go.

// The severities of verdicts, the gravest first.
const (
	Fault   = "fault"   // the training gets nowhere because of it
	Warning = "warning" // the training goes on, and worse than it could
)

// Rule is one thing that can be wrong.
type Rule struct {
	Name   string
	Looks  string // what it looks at
	Speaks string // when it speaks
	Source string // where it comes from
	judge  func(v *view) *watch.Verdict
	when   when
}

// when says which trainings a rule judges.
type when uint8

const (
	looked when = iota // those that have been looked at
	always             // also those without a look, such as one whose first run has failed
	rest               // those that have been looked at and that no rule before it explains
)

// Judge returns what is wrong with a training, the likeliest cause of its failure first, and nothing if all seems well.
func Judge(h *watch.History) []watch.Verdict {
	v := newView(h)
	if v == nil {
		return nil
	}
	var all []watch.Verdict
	for _, r := range Rules {
		if v.first == nil && r.when != always || r.when == rest && len(all) > 0 {
			continue
		}
		if found := r.judge(v); found != nil {
			found.Rule, found.Run = r.Name, v.run
			all = append(all, *found)
		}
	}
	slices.SortStableFunc(all, func(a, b watch.Verdict) int { return cmp.Compare(rank(a), rank(b)) })
	return all
}

// rank orders severities.
func rank(v watch.Verdict) int {
	if v.Severity == Fault {
		return 0
	}
	return 1
}
