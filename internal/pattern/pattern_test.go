package pattern

// The test lists what patterns match, and what their wildcards stand for; how files are loaded by them is tested with the formats.

import (
	"slices"
	"strings"
	"testing"
)

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		wild          []string // nil for no match
	}{
		{"", "", []string{}},
		{"", "a", nil},
		{"a.b", "a.b", []string{}},
		{"a.b", "a.bc", nil},
		{"*", "a", []string{"a"}},
		{"*", "", []string{""}},
		{"*", "a.b", nil},
		{"**", "a.b", []string{"a.b"}},
		{"h.*.w", "h.10.w", []string{"10"}},
		{"h.*.w", "h.1.2.w", nil},
		{"h.**.w", "h.1.2.w", []string{"1.2"}},
		{"**.w", ".w", []string{""}},
		{"*.*", "a.b", []string{"a", "b"}},
		{"***", "ab.c", []string{"ab.", "c"}},
		{"**.*.w", "a.b.c.w", []string{"a.b", "c"}},
		{"*a*", "banana", []string{"b", "nana"}},
		{"[a]?", "[a]?", []string{}},
		{"**" + strings.Repeat("a**", 50) + "b", strings.Repeat("a", 5000), nil},
		{"**", strings.Repeat("a", longName), nil},
	} {
		got, ok := matched(c.pattern, c.name)
		if ok != (c.wild != nil) || !slices.Equal(got, c.wild) {
			t.Errorf("%q for %.20q: %q, %v, want %q", c.pattern, c.name, got, ok, c.wild)
		}
	}
}
