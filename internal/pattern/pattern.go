// Package pattern matches names of tensors with patterns. A * stands for any characters but a dot, so in "blocks.*.weight" for the number of a
// block, and ** for any characters at all. Other characters stand for themselves.
package pattern

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// longName is the length from which on names match no pattern. No model has such names, but a file may.
const longName = 10_000

// matched returns what each wildcard of a pattern stands for in a name, each as short as it can be, the first ones first.
func matched(pattern, name string) ([]string, bool) {
	if len(name) >= longName {
		return nil, false
	}
	parts := split(pattern)
	reach := make([][]bool, len(parts)+1) // reach[k][i]: parts[k:] match name[i:]
	for k := range reach {
		reach[k] = make([]bool, len(name)+1)
	}
	reach[len(parts)][len(name)] = true
	for k := len(parts) - 1; k >= 0; k-- {
		for i := len(name); i >= 0; i-- {
			switch p := parts[k]; p {
			case "**":
				reach[k][i] = reach[k+1][i] || i < len(name) && reach[k][i+1]
			case "*":
				reach[k][i] = reach[k+1][i] || i < len(name) && name[i] != '.' && reach[k][i+1]
			default:
				reach[k][i] = strings.HasPrefix(name[i:], p) && reach[k+1][i+len(p)]
			}
		}
	}
	if !reach[0][0] {
		return nil, false
	}
	var wild []string
	i := 0
	for k, p := range parts {
		if p[0] != '*' {
			i += len(p)
			continue
		}
		begin := i
		for !reach[k+1][i] {
			i++
		}
		wild = append(wild, name[begin:i])
	}
	return wild, true
}

// split cuts a pattern into wildcards and the text between them.
func split(pattern string) (parts []string) {
	for pattern != "" {
		n := strings.IndexByte(pattern, '*')
		switch {
		case strings.HasPrefix(pattern, "**"):
			n = 2
		case n == 0:
			n = 1
		case n < 0:
			n = len(pattern)
		}
		parts = append(parts, pattern[:n])
		pattern = pattern[n:]
	}
	return parts
}

// filled returns a pattern with its wildcards replaced, the first by the first of wild and so on.
func filled(pattern string, wild []string) string {
	var b strings.Builder
	for _, p := range split(pattern) {
		if p[0] == '*' {
			p, wild = wild[0], wild[1:]
		}
		b.WriteString(p)
	}
	return b.String()
}

// wildcards returns the number of wildcards of a pattern.
func wildcards(pattern string) (n int) {
	for _, p := range split(pattern) {
		if p[0] == '*' {
			n++
		}
	}
	return n
}

// Set is several patterns that remember which of them have matched.
type Set struct {
	all  []string
	used []bool
}

// NewSet returns a set of patterns, none of which has matched.
func NewSet(all []string) *Set { return &Set{all, make([]bool, len(all))} }

// Match reports whether one of the patterns matches a name.
func (p *Set) Match(name string) bool {
	any := false
	for i, pattern := range p.all {
		if _, ok := matched(pattern, name); ok {
			p.used[i], any = true, true
		}
	}
	return any
}

// idle returns a line for each pattern that has matched nothing: it is most likely misspelled.
func (p *Set) idle() (lines []string) {
	for i, used := range p.used {
		if !used {
			lines = append(lines, fmt.Sprintf("only: no tensor matches %q", p.all[i]))
		}
	}
	return lines
}

// Choose returns the names that only has, if it is not empty, without those that skip has, and a line for each pattern of only that matches nothing.
// What is to be skipped need not be there.
func Choose(names []string, only, skip []string) (chosen []string, wrong []string) {
	take, leave := NewSet(only), NewSet(skip)
	for _, name := range names {
		taken, left := len(only) == 0 || take.Match(name), leave.Match(name)
		if taken && !left {
			chosen = append(chosen, name)
		}
	}
	return chosen, take.idle()
}

// Renaming gives tensors other names.
type Renaming struct {
	rules map[string]string
	used  map[string]bool
}

// NewRenaming returns the renaming by rules from a pattern to another, whose wildcards become what those of the first stand for.
func NewRenaming(rules map[string]string) *Renaming { return &Renaming{rules, map[string]bool{}} }

// Apply returns the new name of a tensor.
func (r *Renaming) Apply(old string) (string, error) {
	if name, ok := r.rules[old]; ok {
		r.used[old] = true
		return name, nil
	}
	name, by := old, ""
	for _, pattern := range slices.Sorted(maps.Keys(r.rules)) {
		wild, ok := matched(pattern, old)
		if !ok || wildcards(r.rules[pattern]) > len(wild) {
			continue
		}
		r.used[pattern] = true
		to := filled(r.rules[pattern], wild)
		if by != "" && to != name {
			return "", fmt.Errorf("rename: %q and %q call tensor %q differently: %q and %q", by, pattern, old, name, to)
		}
		name, by = to, pattern
	}
	return name, nil
}

// Wrong returns a line for each rule that is impossible or has matched nothing.
func (r *Renaming) Wrong() (lines []string) {
	for _, pattern := range slices.Sorted(maps.Keys(r.rules)) {
		to := r.rules[pattern]
		switch {
		case wildcards(to) > wildcards(pattern):
			lines = append(lines, fmt.Sprintf("rename: %q has more wildcards than %q", to, pattern))
		case !r.used[pattern] && wildcards(pattern) > 0:
			lines = append(lines, fmt.Sprintf("rename: no tensor matches %q", pattern))
		case !r.used[pattern]:
			lines = append(lines, fmt.Sprintf("rename: there is no tensor %q", pattern))
		}
	}
	return lines
}
