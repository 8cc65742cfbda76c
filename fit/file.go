package fit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/interop/safetensors"
)

// This file writes a model as one file and reads it. The file is a safetensors file: the weights are its tensors, and everything else is JSON in its metadata.

// Key is the name in the metadata of a safetensors file under which a model keeps what is not a weight.
const Key = "tarn.model"

// version is that of the form of the file.
const version = 1

// written is the JSON in the metadata.
type written struct {
	About   About           `json:"about"`
	Schema  *table.Schema   `json:"schema"`
	Members []writtenMember `json:"members"`
	media
}

type writtenMember struct {
	Transforms []table.Transform `json:"transforms"`
	Shape      *shape            `json:"shape,omitempty"` // of the network, if there is one
	Mean       float64           `json:"mean"`
	Std        float64           `json:"std"`
}

// contents are the tensors and the metadata of the file.
func (m *Model) contents() (map[string]*tarn.Tensor, map[string]string, error) {
	w := written{About: m.About, Schema: m.schema}
	tensors := map[string]*tarn.Tensor{}
	switch medium := m.medium.(type) {
	case *imageMedium:
		w.Images = medium
	case *seriesMedium:
		w.Series = medium
	case *textMedium:
		w.Text = medium
	}
	if m.medium != nil {
		set, err := tarn.Params(m.medium.network())
		if err != nil {
			return nil, nil, err
		}
		for name, p := range set.All() {
			tensors[name] = p.Tensor()
		}
	}
	for k, member := range m.members {
		wm := writtenMember{Transforms: member.encoder.Transforms, Mean: member.mean, Std: member.std}
		if member.network != nil {
			wm.Shape = &member.shape
		}
		w.Members = append(w.Members, wm)
		if err := member.each(func(name string, p *tarn.Param) error {
			tensors[strconv.Itoa(k)+"."+name] = p.Tensor()
			return nil
		}); err != nil {
			return nil, nil, err
		}
	}
	text, err := json.Marshal(w)
	if err != nil {
		return nil, nil, fmt.Errorf("fit: %w", err)
	}
	return tensors, map[string]string{Key: string(text), "format": "tarn"}, nil
}

// each calls f for each param of the linear model and the network, with its name.
func (m *member) each(f func(name string, p *tarn.Param) error) error {
	for name, model := range map[string]any{"linear": m.linear, "network": m.network} {
		if name == "network" && m.network == nil {
			continue
		}
		set, err := tarn.Params(model)
		if err != nil {
			return err
		}
		for inner, p := range set.All() {
			if err := f(name+"."+inner, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// Save writes the model to the file at path, atomically.
func (m *Model) Save(path string) error {
	tensors, metadata, err := m.contents()
	if err != nil {
		return err
	}
	return safetensors.Save(path, tensors, metadata)
}

// Write writes the model to w.
func (m *Model) Write(w io.Writer) error {
	tensors, metadata, err := m.contents()
	if err != nil {
		return err
	}
	return safetensors.Write(w, tensors, metadata)
}

// Load reads the model in the file at path.
func Load(path string) (*Model, error) {
	f, err := safetensors.Load(path)
	if err != nil {
		return nil, err
	}
	m, err := fromFile(f)
	if err != nil {
		return nil, fmt.Errorf("fit: %s: %w", path, err)
	}
	return m, nil
}

// Read reads a model from the size bytes of r.
func Read(r io.ReaderAt, size int64) (*Model, error) {
	f, err := safetensors.Read(r, size)
	if err != nil {
		return nil, err
	}
	m, err := fromFile(f)
	if err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	return m, nil
}

func fromFile(f *safetensors.File) (*Model, error) {
	text, found := f.Metadata[Key]
	if !found {
		return nil, errors.New("this file has weights and is no model of a table: such models are made by tarn fit")
	}
	var w written
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	var head struct{ About struct{ Version int } }
	if err := json.Unmarshal([]byte(text), &head); err != nil {
		return nil, fmt.Errorf("what it says of the model cannot be read: %w", err)
	}
	if head.About.Version != version {
		return nil, fmt.Errorf("the model has version %d, and this program reads version %d", head.About.Version, version)
	}
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return nil, fmt.Errorf("what it says of the model cannot be read: %w", err)
	}
	if err := w.check(); err != nil {
		return nil, err
	}
	m := &Model{About: w.About, schema: w.Schema}
	if m.medium = w.medium(); m.medium != nil {
		return m, m.readMedia(f.Tensors)
	}
	outputs := max(1, len(w.About.Classes))
	left := maps.Clone(f.Tensors)
	for k, wm := range w.Members {
		member := &member{encoder: &table.Encoder{Schema: w.Schema, Transforms: wm.Transforms}, mean: wm.Mean, std: wm.Std}
		if err := member.encoder.Check(); err != nil {
			return nil, err
		}
		member.layout = newLayout(member.encoder, outputs)
		member.linear = newLinear(member.layout)
		if wm.Shape != nil {
			member.shape = *wm.Shape
			member.network = newDeep(member.layout, member.shape)
		}
		if err := member.each(func(name string, p *tarn.Param) error {
			name = strconv.Itoa(k) + "." + name
			t := left[name]
			if t == nil {
				return fmt.Errorf("the tensor %q is not there", name)
			}
			delete(left, name)
			if !slices.Equal(t.Shape(), p.Shape()) || t.DType() != p.DType() {
				return fmt.Errorf("the tensor %q is %v %v, and must be %v %v", name, t.DType(), t.Shape(), p.DType(), p.Shape())
			}
			return p.Set(t)
		}); err != nil {
			return nil, err
		}
		m.members = append(m.members, member)
	}
	if len(left) > 0 {
		return nil, fmt.Errorf("there are tensors of no use, such as %q", slices.Sorted(maps.Keys(left))[0])
	}
	return m, nil
}

// readMedia reads the weights of a network for pictures, texts or a series.
func (m *Model) readMedia(tensors map[string]*tarn.Tensor) error {
	if err := m.checkMedia(); err != nil {
		return err
	}
	set, err := tarn.Params(m.medium.network())
	if err != nil {
		return err
	}
	return safetensors.Assign(tensors, set, safetensors.LoadOptions{})
}

// check returns an error if what a file says contradicts itself.
func (w *written) check() error {
	a := w.About
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	switch {
	case w.Schema == nil:
		return errors.New("there is no schema")
	case w.Schema.Check() != nil:
		return w.Schema.Check()
	case w.Schema.Target() == nil || w.Schema.Target().Name != a.Target:
		return fmt.Errorf("the target %q is not that of the schema", a.Target)
	case a.Task == Classify && len(a.Classes) < 2 || a.Task == Regress && len(a.Classes) > 0 || a.Task != Classify && a.Task != Regress:
		return fmt.Errorf("the task is %q with %d classes", a.Task, len(a.Classes))
	case len(a.Priors) > 0 && len(a.Priors) != max(1, len(a.Classes)) || slices.ContainsFunc(a.Priors, func(v float64) bool { return !finite(v) }):
		return fmt.Errorf("there are %d priors", len(a.Priors))
	case w.Images != nil && w.Series != nil || w.Images != nil && w.Text != nil || w.Series != nil && w.Text != nil:
		return errors.New("it is a model of several kinds at once")
	case w.medium() != nil && len(w.Members) > 0 || w.medium() == nil && len(w.Members) == 0 || len(w.Members) > 1000:
		return fmt.Errorf("there are %d members", len(w.Members))
	case !(a.Share >= 0 && a.Share <= 1) || !(a.Temperature > 0) || !finite(a.Temperature) || !finite(a.Threshold) || !finite(a.Interval):
		return errors.New("share, temperature, threshold or interval is out of range")
	}
	for _, m := range w.Members {
		if !finite(m.Mean) || !finite(m.Std) || m.Std <= 0 {
			return fmt.Errorf("a member has the mean %v and the deviation %v", m.Mean, m.Std)
		}
		if s := m.Shape; s != nil {
			ok := (s.Family == Perceptrons || (s.Family == ResNet || s.Family == Transformer) && s.Members == 1) && s.Members >= 1 && s.Members <= 64 && len(s.Hidden) >= 1 && len(s.Hidden) <= 100 && s.Embedding >= 0 && s.Embedding <= 4096 && s.Dropout >= 0 && s.Dropout < 1
			for _, h := range s.Hidden {
				ok = ok && h >= 1 && h <= 1<<14
			}
			if !ok {
				return errors.New("the shape of a network is out of range")
			}
		} else if a.Share > 0 {
			return errors.New("a network has a share in the answers and is not there")
		}
	}
	return nil
}
