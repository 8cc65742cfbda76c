package lower

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// plain is what dependence keeps, without an order or chains: questions are answered by walking all paths.
type plain struct {
	reads map[*group][]*group
}

// needs reports whether a path leads from c back to other, one through a third group where third is set.
func (p *plain) needs(c, other *group, third bool) bool {
	return slices.ContainsFunc(p.reads[c], func(r *group) bool {
		return r == other && !third || r != other && (p.needs(r, other, false))
	})
}

// merge makes b part of a.
func (p *plain) merge(a, b *group) {
	all := append(p.reads[a], p.reads[b]...)
	delete(p.reads, b)
	p.reads[a] = nil
	for _, r := range all {
		if r != a && r != b && !slices.Contains(p.reads[a], r) {
			p.reads[a] = append(p.reads[a], r)
		}
	}
	for c, reads := range p.reads {
		for i, r := range reads {
			if r == b {
				p.reads[c][i] = a
			}
		}
	}
}

// TestDependence makes groups, has them read others and merges them, at random, and compares what is allowed with all paths. A bound on
// searches may only refuse more.
func TestDependence(t *testing.T) {
	for _, bound := range []int{1 << 10, 4, 0} {
		t.Run(fmt.Sprint(bound), func(t *testing.T) {
			defer SetMostSearched(bound)()
			refused, allowed, wrong := 0, 0, 0
			for seed := range uint64(200) {
				r := rand.New(rand.NewPCG(seed, 1))
				var d dependence
				p := plain{map[*group][]*group{}}
				var groups []*group
				some := func(n int) (picked []*group) {
					for range n {
						if len(groups) > 0 {
							if c := groups[len(groups)-1-r.IntN(min(len(groups), 8))]; !slices.Contains(picked, c) {
								picked = append(picked, c)
							}
						}
					}
					return picked
				}
				check := func(got, want bool) {
					switch {
					case got && !want:
						t.Fatalf("seed %d: a circle", seed)
					case got:
						allowed++
					case want:
						wrong++
					default:
						refused++
					}
				}
				for range 40 {
					switch picked := some(1 + r.IntN(3)); {
					case len(groups) < 3 || r.IntN(3) == 0:
						c := &group{id: len(groups)}
						d.append(c, picked)
						groups, p.reads[c] = append(groups, c), picked
					case r.IntN(3) == 0 && len(picked) > 1:
						a, b := picked[0], picked[1]
						want := !p.needs(a, b, true) && !p.needs(b, a, true)
						got := d.unite(a, b)
						check(got, want)
						if got {
							p.merge(a, b)
							groups = slices.DeleteFunc(groups, func(c *group) bool { return c == b })
						}
					case r.IntN(2) == 0 && len(picked) > 1:
						c, others := picked[0], picked[1:]
						want := !slices.ContainsFunc(others, func(o *group) bool { return p.needs(o, c, false) })
						got := d.depend(c, others)
						check(got, want)
						if got {
							p.reads[c] = append(p.reads[c], others...)
						}
					default:
						from, targets := some(2), picked
						want := !slices.ContainsFunc(targets, func(t *group) bool {
							return !slices.ContainsFunc(from, func(c *group) bool { return c == t || p.needs(c, t, false) })
						})
						check(d.reach(from, targets), want)
					}
					for c, reads := range p.reads {
						for _, other := range reads {
							if !other.place.Before(c.place) {
								t.Fatalf("seed %d: group %d stands before %d, which it reads", seed, c.id, other.id)
							}
						}
					}
				}
			}
			if allowed < 100 || refused < 100 || bound == 1<<10 && wrong > 0 || bound == 0 && wrong == 0 {
				t.Errorf("%d allowed and %d refused, of which %d without need", allowed, refused+wrong, wrong)
			}
		})
	}
}
