package lower

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/order"
)

// This file tracks which group must run before which while groups are made, get further operands and are merged. All groups stand in one
// list, in an order in which they could run. A path from one group to another then leads only through groups that stand between them, and
// a group that is to read a later one moves behind it, together with what runs after the group.
//
// A search looks at mostSearched edges at most. If it has not finished by then, a path is assumed: the two groups stay apart, which costs
// a little speed and is never wrong. Most long paths need no search, because the links of the groups show them.

// mostSearched bounds what one search looks at, so that the time to lower a graph is linear in its size. Tests change it.
var mostSearched = 1 << 10

// depender is the part of a group that dependence uses.
type depender struct {
	into   *group         // what it has been merged into, or nil
	place  *order.Element // in the list
	direct []*group       // what it reads; may name a group twice, and merged groups
	users  []*group       // what reads it, likewise
	links  []*link        // its places in chains
	search int            // the last search that has visited it
	target int            // the last search that looks for it
}

// dependence keeps the order of all groups.
type dependence struct {
	list   order.List
	search int // the number of the current search
}

// newSearch begins a search: no group has been visited.
func (d *dependence) newSearch() { d.search++ }

// visit reports whether the current search visits c for the first time.
func (d *dependence) visit(c *group) bool {
	first := c.search != d.search
	c.search = d.search
	return first
}

// find returns the group that c has become a part of.
func (c *group) find() *group {
	for c.into != nil {
		if c.into.into != nil {
			c.into = c.into.into
		}
		c = c.into
	}
	return c
}

// before lists the groups that c reads, each once.
func (d *dependence) before(c *group) (groups []*group) {
	d.newSearch()
	d.visit(c)
	for _, other := range c.direct {
		if other = other.find(); d.visit(other) {
			groups = append(groups, other)
		}
	}
	return groups
}

// append adds a new group, which reads others, at the end.
func (d *dependence) append(c *group, others []*group) {
	c.place = d.list.Append()
	d.connect(c, others)
}

// connect records that c reads others, which stand before it.
func (d *dependence) connect(c *group, others []*group) {
	var deepest *link
	for _, other := range others {
		c.direct = append(c.direct, other)
		other.users = append(other.users, c)
		deepest = deeper(deepest, other.end())
	}
	if own := c.end(); own == nil || deepest != nil && deepest.depth > own.depth {
		c.links = append(c.links, deepest.next())
	}
}

// depend makes c read others, and reports false if one of these may need c.
func (d *dependence) depend(c *group, others []*group) bool {
	d.newSearch()
	last := c.place
	for _, other := range others {
		other.target = d.search
		if last.Before(other.place) {
			last = other.place
		}
	}
	if last != c.place {
		behind, ok := d.follow(c, others, last, false)
		if !ok {
			return false
		}
		d.move(append(behind, c), last)
	}
	d.connect(c, others)
	return true
}

// unite makes b part of a, and reports false if a path may lead from one to the other through a third group.
func (d *dependence) unite(a, b *group) bool {
	first, last := a, b
	if b.place.Before(a.place) {
		first, last = b, a
	}
	d.newSearch()
	last.target = d.search
	behind, ok := d.follow(first, []*group{last}, last.place, true)
	if !ok {
		return false
	}
	d.move(behind, last.place)
	d.list.Remove(first.place)
	a.place = last.place
	a.direct = append(a.direct, b.direct...)
	if len(a.users) < len(b.users) {
		a.users, b.users = b.users, a.users
	}
	a.users = append(a.users, b.users...)
	a.links = append(a.links, b.links...)
	b.depender = depender{into: a}
	return true
}

// follow returns the groups that run after start and stand before last. It reports false if one of the targets, none of which stands
// behind last, runs after start. If third is set, a target may run after start if no path leads there through a third group.
func (d *dependence) follow(start *group, targets []*group, last *order.Element, third bool) (found []*group, ok bool) {
	d.visit(start)
	todo := []*group{start}
	for looked := 0; len(todo) > 0; {
		c := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		direct := third && c == start
		if looked += len(c.users); looked > mostSearched || !direct && slices.ContainsFunc(targets, c.leadsTo) {
			return nil, false
		}
		for _, user := range c.users {
			user = user.find()
			if user.target == d.search && !direct {
				return nil, false
			}
			if user.place.Before(last) && d.visit(user) {
				found, todo = append(found, user), append(todo, user)
			}
		}
	}
	return found, true
}

// move puts the groups right behind last, in the order in which they stand.
func (d *dependence) move(groups []*group, last *order.Element) {
	slices.SortFunc(groups, func(a, b *group) int {
		if a.place.Before(b.place) {
			return -1
		}
		return 1
	})
	for _, c := range groups {
		d.list.MoveAfter(c.place, last)
		last = c.place
	}
}

// reach reports whether a search shows that each target is one of from or must run before one of them.
func (d *dependence) reach(from, targets []*group) bool {
	d.newSearch()
	left := 0
	var first *order.Element // of the targets
	for _, t := range targets {
		if slices.ContainsFunc(from, t.leadsTo) {
			continue
		}
		t.target = d.search
		left++
		if first == nil || t.place.Before(first) {
			first = t.place
		}
	}
	todo := slices.Clone(from)
	for looked := 0; left > 0 && len(todo) > 0; {
		c := todo[len(todo)-1].find()
		todo = todo[:len(todo)-1]
		if c.place.Before(first) || !d.visit(c) {
			continue
		}
		if c.target == d.search {
			left--
		}
		if looked += len(c.direct); looked > mostSearched {
			return false
		}
		todo = append(todo, c.direct...)
	}
	return left == 0
}

// link is a place in a chain of groups: the group with this link runs after the group with the link before, unless the two have been
// merged. Chains branch, so links form trees.
type link struct {
	before *link
	far    *link // further back, so that any link before is reached in a logarithmic number of steps
	depth  int
}

// next returns a new link behind l, which may be nil. (Myers 1983, An applicative random-access stack.)
func (l *link) next() *link {
	if l == nil {
		n := &link{}
		n.before, n.far = n, n
		return n
	}
	n := &link{before: l, far: l, depth: l.depth + 1}
	if l.depth-l.far.depth == l.far.depth-l.far.far.depth {
		n.far = l.far.far
	}
	return n
}

func deeper(a, b *link) *link {
	if a == nil || b != nil && b.depth > a.depth {
		return b
	}
	return a
}

// behind reports whether l is m or comes after it in a chain.
func (l *link) behind(m *link) bool {
	for l.depth > m.depth {
		if l.far.depth >= m.depth {
			l = l.far
		} else {
			l = l.before
		}
	}
	return l == m
}

// end returns the deepest link of c, or nil.
func (c *group) end() (deepest *link) {
	for _, l := range c.links {
		deepest = deeper(deepest, l)
	}
	return deepest
}

// leadsTo reports whether a chain leads from c to other, so that other runs after c, or the two are one group.
func (c *group) leadsTo(other *group) bool {
	return slices.ContainsFunc(c.links, other.end().behind)
}
