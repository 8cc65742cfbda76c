package train

import (
	"bytes"
	"cmp"
	"encoding/gob"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/optim"
)

// This file splits the updates among the ranks: each updates a part of the params and keeps the optimizer's states of those alone. Its optimizer sees
// params that are parts of the whole ones and share their memory. (Rajbhandari et al. 2020, ZeRO: Memory optimizations toward training trillion parameter
// models, stage 1.)

// split is what each rank updates.
type split struct {
	byElement  bool
	pieces     []piece        // of all ranks, each rank's in the order of its params
	params     *tarn.ParamSet // of this rank
	parts      map[*tarn.Param]optim.Part
	mine       map[*tarn.Param]*piece
	byInput    map[string]*piece
	firstBlock map[*tarn.Param]int // of the sums of squares
	mostBlocks int                 // of a rank
	buffer     []byte              // for whole params: of a rank
	collected  []byte              // of all ranks
}

// piece is a range of elements of a param that a rank updates.
type piece struct {
	rank   int
	whole  *tarn.Param
	lo, hi int
	array  int
	offset int         // in the array
	param  *tarn.Param // the part, for the rank's own
}

// splitUpdates decides who updates what.
func (s *Step) splitUpdates(d optim.Divider) error {
	reach, who := d.Divisible()
	if reach == optim.ReachAll {
		return fmt.Errorf("train: Shards.ZeRO: %s needs all params at once, so that ranks cannot update parts of them: unset ZeRO, or take an optimizer that works on elements or on single params, such as AdamW or Muon", who)
	}
	sh := s.sharded
	sp := &split{byElement: reach == optim.ReachElement, params: &tarn.ParamSet{}, parts: map[*tarn.Param]optim.Part{}, mine: map[*tarn.Param]*piece{},
		byInput: map[string]*piece{}, firstBlock: map[*tarn.Param]int{}}
	trained := s.params.Trainable()
	order, blocks := map[*tarn.Param]int{}, 0
	for _, p := range trained.All() {
		order[p], sp.firstBlock[p] = len(order), blocks
		blocks += blocksOf(p.Tensor().Size())
	}
	if sp.byElement {
		sp.cut(sh)
	} else {
		sp.assign(sh, trained)
	}
	slices.SortStableFunc(sp.pieces, func(a, b piece) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(order[a.whole], order[b.whole]), cmp.Compare(a.lo, b.lo))
	})
	counts := make([]int, sh.Comm.Size())
	for i := range sp.pieces {
		pc := &sp.pieces[i]
		counts[pc.rank] += blocksOf(pc.hi - pc.lo)
		if pc.rank == sh.Comm.Rank() {
			if err := sp.add(trained.Name(pc.whole), pc, d.Division()); err != nil {
				return err
			}
		}
	}
	sp.mostBlocks = slices.Max(counts)
	if sp.params.Len() == 0 { // a part of no elements that counts for nothing
		first := trained.List()[0]
		if err := sp.add(trained.Name(first), &piece{whole: first, lo: -1, hi: -1}, d.Division()); err != nil {
			return err
		}
	}
	sh.split = sp
	return nil
}

// cut gives each rank the elements of which it finishes the sum.
func (sp *split) cut(sh *sharded) {
	for kind, a := range sh.arrays[:arrayStates] {
		for k := range a.Buckets() {
			for r := range sh.Comm.Size() {
				lo, hi := a.Share(k, r)
				for _, sg := range sh.segments {
					first, end := max(lo, sg.offset), min(hi, sg.offset+sg.size)
					if sg.array == kind && first < end {
						sp.pieces = append(sp.pieces, piece{rank: r, whole: sg.param, lo: first - sg.offset, hi: end - sg.offset, array: kind, offset: first})
					}
				}
			}
		}
	}
}

// assign gives each rank whole params, the largest first, to the rank that has the least.
func (sp *split) assign(sh *sharded, trained *tarn.ParamSet) {
	params := slices.Clone(trained.List())
	slices.SortStableFunc(params, func(a, b *tarn.Param) int { return b.Tensor().Size() - a.Tensor().Size() })
	load := make([]int, sh.Comm.Size())
	for _, p := range params {
		rank := slices.Index(load, slices.Min(load))
		at := slices.IndexFunc(sh.segments, func(sg segment) bool { return sg.param == p && !sg.state })
		sp.pieces = append(sp.pieces, piece{rank: rank, whole: p, hi: p.Tensor().Size(), array: sh.segments[at].array, offset: sh.segments[at].offset})
		load[rank] += len(p.Tensor().Raw())
	}
	sp.buffer = dist.Alloc(sh.Comm, slices.Max(load))
	sp.collected = dist.Alloc(sh.Comm, len(sp.buffer)*len(load))
}

// add makes a part of this rank, or takes that of an earlier division.
func (sp *split) add(name string, pc *piece, before *optim.Division) error {
	p, part := pc.whole, name
	if sp.byElement {
		shape := p.Shape()
		for a := range shape {
			shape[a] = 1
		}
		if n := len(shape); n > 0 {
			shape[n-1] = max(1, pc.hi-pc.lo)
		}
		var t *tarn.Tensor
		var err error
		switch {
		case pc.lo == pc.hi:
			t = tarn.Zeros(p.DType(), shape...)
		case p.DType() == tarn.F32:
			t, err = tarn.FromSlice(p.Tensor().F32()[pc.lo:pc.hi], shape...)
		default:
			t, err = tarn.FromSlice(p.Tensor().F64()[pc.lo:pc.hi], shape...)
		}
		if err != nil {
			return err
		}
		p, part = tarn.ParamOf(t), fmt.Sprintf("%s@%d", name, pc.lo)
		if before != nil {
			for q, old := range before.Parts {
				if old.Whole == pc.whole && old.First == pc.lo && slices.Equal(q.Shape(), shape) {
					p = q
				}
			}
		}
	}
	pc.param = p
	sp.mine[p] = pc
	sp.parts[p] = optim.Part{Name: name, Whole: pc.whole, First: pc.lo}
	sp.byInput["tarn.part."+part] = pc
	return sp.params.Add(part, p)
}

// input returns the name of the input that has the gradient of a part.
func (sp *split) input(p *tarn.Param) string { return "tarn.part." + sp.params.Name(p) }

// gradient returns the gradient of a part, by the name of its input.
func (sp *split) gradient(s *sharded, name string) *tarn.Tensor {
	pc := sp.byInput[name]
	if pc.lo == pc.hi {
		return pc.param.Tensor()
	}
	return s.arrays[pc.array].sum(pc.offset, pc.param.Shape())
}

// spread sends what each rank has of the params to all others.
func (s *sharded) spread() error {
	sp := s.split
	if sp == nil {
		return nil
	}
	me := s.Comm.Rank()
	if !sp.byElement {
		at := make([]int, s.Comm.Size())
		for _, own := range []bool{true, false} {
			clear(at)
			for i := range sp.pieces {
				pc := &sp.pieces[i]
				raw := pc.whole.Tensor().Raw()
				switch to := at[pc.rank]; {
				case own && pc.rank == me:
					copy(sp.buffer[to:], raw)
				case !own && pc.rank != me:
					copy(raw, sp.collected[pc.rank*len(sp.buffer)+to:])
				}
				at[pc.rank] += len(raw)
			}
			if own {
				if err := s.Comm.AllGather(sp.collected, sp.buffer); err != nil {
					return err
				}
			}
		}
		s.Shards.spread += int64(len(at)-1) * int64(len(sp.buffer))
		return nil
	}
	each := func(do func(pc *piece, in, whole *tarn.Tensor)) {
		for i := range sp.pieces {
			pc := &sp.pieces[i]
			do(pc, s.arrays[pc.array].sum(pc.offset, []int{pc.hi - pc.lo}), pc.whole.Tensor())
		}
	}
	each(func(pc *piece, in, whole *tarn.Tensor) {
		if width := len(in.Raw()) / (pc.hi - pc.lo); pc.rank == me {
			copy(in.Raw(), whole.Raw()[pc.lo*width:])
		}
	})
	for _, a := range s.arrays[:arrayStates] {
		for k := range a.Buckets() {
			if err := a.Gather(k); err != nil {
				return err
			}
		}
	}
	each(func(pc *piece, in, whole *tarn.Tensor) {
		if width := len(in.Raw()) / (pc.hi - pc.lo); pc.rank != me {
			copy(whole.Raw()[pc.lo*width:], in.Raw())
		}
	})
	return nil
}

// stateFact describes a state of a rank.
type stateFact struct {
	Name  string // of the whole state
	Shape []int  // of the whole state
	DType tarn.DType
	Lo    int // the first element that the rank has
	Size  int // and how many
}

// stateFacts describes the states of this rank, which are those of parts, or of all ranks alike.
func (s *Step) stateFacts(states *tarn.ParamSet) (facts []stateFact, err error) {
	sp := s.sharded.split
	for name, p := range states.All() {
		f := stateFact{Name: name, Shape: p.Shape(), DType: p.DType(), Size: p.Tensor().Size()}
		kind, of, found := strings.Cut(name, "/")
		if part := sp.params.Lookup(of); found && part != nil && sp.byElement {
			pc := sp.mine[part]
			f.Name, f.Shape, f.Lo = kind+"/"+sp.parts[part].Name, pc.whole.Shape(), pc.lo
			if pc.lo == pc.hi {
				f.Lo, f.Size = 0, 0
			}
			if p.Tensor().Size() != part.Tensor().Size() {
				return nil, fmt.Errorf("train: Shards.ZeRO: the state %q has another size than the param: its transform does not work on elements, as its Reach says", name)
			}
		} else if part != nil && sp.mine[part].lo == sp.mine[part].hi {
			f.Size = 0
		}
		facts = append(facts, f)
	}
	return facts, nil
}

// wholeStates returns the states of the optimizer as they are without ZeRO. If ranks have split them, all must call it, and only rank 0 gets them.
func (s *Step) wholeStates() (*tarn.ParamSet, error) {
	states, err := s.optimizer.States()
	if err != nil || s.sharded == nil || s.sharded.split == nil {
		return states, err
	}
	sh := s.sharded
	facts, err := s.stateFacts(states)
	var text bytes.Buffer
	if err == nil {
		err = gob.NewEncoder(&text).Encode(facts)
	}
	if err := sh.team.meet("the states after run", s.Runs(), false, err); err != nil {
		return nil, err
	}
	texts, err := sh.team.gather(text.Bytes())
	if err != nil {
		return nil, err
	}
	me := sh.Comm.Rank()
	whole := map[string]*tarn.Param{}
	mine := states.List()
	var buffer []byte
	for r, text := range texts {
		var facts []stateFact
		if err := gob.NewDecoder(bytes.NewReader(text)).Decode(&facts); err != nil {
			return nil, fmt.Errorf("train: the states of rank %d cannot be read: %w", r, err)
		}
		for i, f := range facts {
			width := 8
			if f.DType == tarn.F32 || f.DType == tarn.I32 {
				width = 4
			}
			n := f.Size * width
			if len(buffer) < n {
				buffer = dist.Alloc(sh.Comm, n)
			}
			if r == me {
				copy(buffer, mine[i].Tensor().Raw()[:n])
			}
			if err := sh.Comm.Broadcast(buffer[:n], r); err != nil {
				return nil, err
			}
			if me == 0 {
				if whole[f.Name] == nil {
					whole[f.Name] = tarn.NewState(f.DType, nil, f.Shape...)
				}
				copy(whole[f.Name].Tensor().Raw()[f.Lo*width:], buffer[:n])
			}
		}
	}
	set := &tarn.ParamSet{}
	names := make([]string, 0, len(whole))
	for name := range whole {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := set.Add(name, whole[name]); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// takeStates stores whole states in those of this rank. Find returns the whole state of a name.
func (s *Step) takeStates(find func(name string) (*tarn.Tensor, error)) error {
	states, err := s.optimizer.States()
	if err != nil {
		return err
	}
	if s.sharded == nil || s.sharded.split == nil {
		for name, p := range states.All() {
			t, err := find(name)
			if err == nil {
				err = p.Set(t)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	facts, err := s.stateFacts(states)
	if err != nil {
		return err
	}
	for i, p := range states.List() {
		f := facts[i]
		if f.Size == 0 {
			continue
		}
		t, err := find(f.Name)
		if err != nil {
			return err
		}
		if !slices.Equal(t.Shape(), f.Shape) || t.DType() != f.DType {
			return fmt.Errorf("train: the state %q is %v%v and should be %v%v", f.Name, t.DType(), t.Shape(), f.DType, f.Shape)
		}
		width := len(p.Tensor().Raw()) / f.Size
		copy(p.Tensor().Raw(), t.Raw()[f.Lo*width:])
	}
	return nil
}

// withAverages calls f while the params hold the weights for evaluation.
func (s *Step) withAverages(f func() error) error {
	keeps, ok := s.optimizer.(interface {
		Averages() map[string]*tarn.Tensor
	})
	if s.sharded == nil || s.sharded.split == nil || ok && len(keeps.Averages()) == 0 {
		return optim.WithAverages(s.optimizer, f)
	}
	t := s.sharded.team
	err := optim.WithAverages(s.optimizer, func() error {
		if err := t.meet("the averages after run", s.Runs(), false, nil); err != nil {
			return err
		}
		if err := s.sharded.spread(); err != nil {
			return err
		}
		return t.meet("the use of averages after run", s.Runs(), false, f())
	})
	if err != nil {
		return err
	}
	return s.sharded.spread()
}
