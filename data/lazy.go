package data

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file holds fields that are made when a batch is: examples that are loaded from files, and labels of mixed examples. All examples of a batch are made at the
// same time by several goroutines, and each depends on its own number alone, so that the bits do not depend on how many there are.

// Loader writes the bytes of one example of a field. The row is its number in the data as it was loaded: see Batch.Row. In batches d holds the random numbers
// of the example, which transforms go on with; elsewhere d is nil, and nothing is random. Several goroutines call it at the same time.
type Loader func(row int, d *Draws, to []uint8) error

// Lazy returns the set with one more field, whose examples have the given shape and are loaded when a batch is made. In batches it is F32, from 0 to 255
// unless Normalize says otherwise.
func (s *Set) Lazy(name string, shape []int, load Loader) (*Set, error) {
	f := field{name: name, shape: slices.Clone(shape), width: 1, data: load, dtype: tarn.F32}
	switch {
	case name == "" || s.has(name):
		return nil, fmt.Errorf("data: Lazy: the name %s is empty, or that of another field", list.Quote(name))
	case load == nil:
		return nil, fmt.Errorf("data: Lazy: field %q has no loader", name)
	}
	for _, d := range shape {
		if d < 1 || d > math.MaxInt32/f.width {
			return nil, fmt.Errorf("data: Lazy: field %q cannot have the shape %v", name, shape)
		}
		f.width *= d
	}
	return s.add(f), nil
}

// add returns the set with one more field.
func (s *Set) add(f field) *Set {
	t := *s
	t.fields = append(slices.Clone(s.fields), f)
	return &t
}

// Mixer makes one image of two, as MixUp and CutMix of package images do.
type Mixer interface {
	// Mix changes the image of the given shape by another one, and returns the share that its own label keeps.
	Mix(shape []int, image, other []float32, d *Draws) (share float64)
}

// mixed are the labels of a set whose images are mixed: a share for each class.
type mixed struct {
	image, label string
	classes      int
	mixers       []Mixer
}

// Mix returns the set in which batches mix each example of the F32 field image with another one, which is drawn from the whole set, by one of the mixers, which is drawn too. The new field called into
// has the share of each class in the label, [classes] as F32; the field label stays as it is. Without mixers nothing is mixed, and into has a 1 at the class:
// so the sets to train on and to evaluate have the same fields. Tensor and Moments see what is not mixed.
//
//	train, err := set.Mix("image", "label", "shares", 10, images.MixUp{Alpha: 0.2}, images.CutMix{Alpha: 1})
func (s *Set) Mix(image, label, into string, classes int, mixers ...Mixer) (*Set, error) {
	i, err := s.find(image)
	if err != nil {
		return nil, err
	}
	k, err := s.find(label)
	if err != nil {
		return nil, err
	}
	l := s.fields[k]
	switch {
	case s.fields[i].dtype != tarn.F32:
		return nil, fmt.Errorf("data: Mix: field %q is %v and should be f32: Normalize or Cast it", image, s.fields[i].dtype)
	case l.width != 1 || l.dtype != tarn.I32 && l.dtype != tarn.I64:
		return nil, fmt.Errorf("data: Mix: field %q holds %v%v an example, want one class as i32 or i64", label, l.dtype, l.shape)
	case into == "" || s.has(into):
		return nil, fmt.Errorf("data: Mix: the name %s is empty, or that of another field", list.Quote(into))
	case classes < 1 || classes > mostClasses:
		return nil, fmt.Errorf("data: Mix: %d classes", classes)
	case slices.Contains(mixers, nil):
		return nil, fmt.Errorf("data: Mix: a mixer is nil")
	}
	for _, f := range s.fields {
		if _, ok := f.data.(mixed); ok {
			return nil, fmt.Errorf("data: Mix: the set is mixed already, in field %q", f.name)
		}
	}
	return s.add(field{name: into, shape: []int{classes}, width: classes, data: mixed{image, label, classes, slices.Clone(mixers)}, dtype: tarn.F32}), nil
}

// fill writes the examples at some rows to the front of tensors; keys are the numbers by which they draw.
type fill func(rows, keys []int32, seed uint64, epoch int) error

// fill returns what fills tensors, one for each field.
func (s *Set) fill(to []*tarn.Tensor) fill {
	var plain []func(rows []int32)
	var change []func(keys []int32, seed uint64, epoch int)
	var last []fill
	for i := range s.fields {
		f := &s.fields[i]
		switch d := f.data.(type) {
		case Loader:
			last = append([]fill{s.parallel(f, to[i])}, last...)
		case mixed:
			last = append(last, s.mixer(d, to, to[i]))
		default:
			plain = append(plain, f.filler(to[i]))
			if c := f.changer(to[i]); c != nil {
				change = append(change, c)
			}
		}
	}
	return func(rows, keys []int32, seed uint64, epoch int) error {
		for _, f := range plain {
			f(rows)
		}
		for _, f := range change {
			f(keys, seed, epoch)
		}
		for _, f := range last {
			if err := f(rows, keys, seed, epoch); err != nil {
				return err
			}
		}
		return nil
	}
}

// plain returns what fills a tensor with a field without anything random.
func (s *Set) plain(f *field, t *tarn.Tensor) func(rows []int32) error {
	switch d := f.data.(type) {
	case Loader:
		singles := pool(func() *single { return f.single(false) })
		return func(rows []int32) error {
			return each(rows, singles, func(one *single, i int, row int32) error {
				if err := one.make(row, row, 0, 0); err != nil {
					return f.failed(row, err)
				}
				copyRow(t, i, one.tensor, 0)
				return nil
			})
		}
	case mixed:
		return func(rows []int32) error {
			k, _ := s.find(d.label)
			labels := tarn.Zeros(s.fields[k].dtype, max(1, len(rows)))
			s.fields[k].filler(labels)(rows)
			clear(t.F32())
			for i, row := range rows {
				if err := d.share(t.F32()[i*d.classes:], labels.Float(i), 1, row); err != nil {
					return err
				}
			}
			return nil
		}
	}
	fill := f.filler(t)
	return func(rows []int32) error {
		fill(rows)
		return nil
	}
}

// failed says which example could not be made.
func (f *field) failed(row int32, err error) error {
	return fmt.Errorf("data: field %q, example %d: %w", f.name, row, err)
}

// share adds a share to that of a class.
func (m mixed) share(to []float32, class, share float64, row int32) error {
	if !(class >= 0 && class < float64(m.classes)) {
		return fmt.Errorf("data: Mix: example %d of field %q has the label %v, want a class from 0 to %d", row, m.label, class, m.classes-1)
	}
	to[int(class)] += float32(share)
	return nil
}

// single makes one example of a field at a time.
type single struct {
	tensor *tarn.Tensor
	make   func(row, key int32, seed uint64, epoch int) error
}

// single returns what makes single examples, with what is random about them or without.
func (f *field) single(random bool) *single {
	t := tarn.Zeros(f.dtype, append([]int{1}, f.shape...)...)
	var change func([]int32, uint64, int)
	if random {
		change = f.changer(t)
	}
	load, ok := f.data.(Loader)
	if !ok {
		fill := f.filler(t)
		return &single{t, func(row, key int32, seed uint64, epoch int) error {
			fill([]int32{row})
			if change != nil {
				change([]int32{key}, seed, epoch)
			}
			return nil
		}}
	}
	bytes := make([]uint8, f.width)
	loaded := *f
	loaded.data = bytes
	fill, d := loaded.filler(t), new(Draws)
	var bound []func([]float32, *Draws)
	for _, t := range f.transforms {
		change, err := t.Bind(slices.Clone(f.shape))
		if err != nil {
			panic(err) // it was bound to this shape before
		}
		bound = append(bound, change)
	}
	return &single{t, func(row, key int32, seed uint64, epoch int) error {
		if !random {
			err := load(int(row), nil, bytes)
			fill([]int32{0})
			return err
		}
		d.begin(seed, epoch, key)
		if err := load(int(row), d, bytes); err != nil {
			return err
		}
		fill([]int32{0})
		for _, change := range bound {
			change(t.F32(), d)
		}
		return nil
	}}
}

// parallel returns what loads the examples of a field into a tensor.
func (s *Set) parallel(f *field, t *tarn.Tensor) fill {
	singles := pool(func() *single { return f.single(true) })
	return func(rows, keys []int32, seed uint64, epoch int) error {
		return each(rows, singles, func(one *single, i int, row int32) error {
			if err := one.make(row, keys[i], seed, epoch); err != nil {
				return f.failed(row, err)
			}
			copyRow(t, i, one.tensor, 0)
			return nil
		})
	}
}

// mixer returns what mixes the images, which are made already, and writes the shares of the classes.
func (s *Set) mixer(m mixed, to []*tarn.Tensor, shares *tarn.Tensor) fill {
	at, _ := s.find(m.image)
	label, _ := s.find(m.label)
	type pair struct{ image, label *single }
	image, width := &s.fields[at], s.fields[at].width
	pairs := pool(func() *pair { return &pair{image.single(true), s.fields[label].single(true)} })
	return func(rows, keys []int32, seed uint64, epoch int) error {
		return each(rows, pairs, func(p *pair, i int, row int32) error {
			own := shares.F32()[i*m.classes : (i+1)*m.classes]
			clear(own)
			share := 1.0
			if len(m.mixers) > 0 {
				var d Draws
				d.beginMix(seed, epoch, keys[i])
				other := int32(d.Intn(s.n))
				if s.rows != nil {
					other = s.rows[other]
				}
				if err := p.image.make(other, keys[i], seed, epoch); err != nil {
					return image.failed(other, err)
				}
				share = m.mixers[d.Intn(len(m.mixers))].Mix(image.shape, to[at].F32()[i*width:(i+1)*width], p.image.tensor.F32(), &d)
				if err := p.label.make(other, keys[i], seed, epoch); err != nil {
					return err
				}
				if err := m.share(own, p.label.tensor.Float(0), 1-share, other); err != nil {
					return err
				}
			}
			return m.share(own, to[label].Float(i), share, row)
		})
	}
}

// pool keeps what goroutines use in turn.
func pool[T any](fresh func() *T) *sync.Pool { return &sync.Pool{New: func() any { return fresh() }} }

// each calls f for all rows, on several goroutines, each with a tool of its own, and returns the error of the first row that has one.
func each[T any](rows []int32, tools *sync.Pool, f func(tool *T, i int, row int32) error) error {
	errs := make([]error, len(rows))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(rows)) {
		wg.Go(func() {
			tool := tools.Get().(*T)
			defer tools.Put(tool)
			for {
				i := int(next.Add(1)) - 1
				if i >= len(rows) {
					return
				}
				errs[i] = f(tool, i, rows[i])
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
