package fit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/data/text"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/nn"
)

// This file holds models that classify texts in a column of a table. The tokenizer is learned from the texts too, and is in the file of the model.

// TextOptions say how to fit a model of texts. Target has to be set.
type TextOptions struct {
	MediaOptions
	Target  string
	Text    string // the column of texts; "" means the only one that is not the target
	Network string // "bag", the mean of embeddings, which is the default; or "transformer", of two layers
	Tokens  int    // of the tokenizer at most; 0 means 4096
	Length  int    // tokens of a text that are read at most; 0 means as many as most texts have, at most 256
	Width   int    // of the embeddings; 0 means 64
}

// textMedium is how a model reads texts, and its network.
type textMedium struct {
	Network   string          `json:"network"`
	Column    string          `json:"column"`
	Length    int             `json:"length"`
	Width     int             `json:"width"`
	Classes   int             `json:"classes"`
	Dropout   float64         `json:"dropout"`
	Tokenizer json.RawMessage `json:"tokenizer"`

	bpe *text.BPE
	net *reader
}

// Texts makes a model that tells the class of a text in a table.
//
//	m, err := fit.Texts(ctx, t, fit.TextOptions{Target: "spam", Text: "message"})
func Texts(ctx context.Context, t *table.Table, o TextOptions) (*Model, error) {
	if t == nil {
		return nil, errors.New("fit: the table is nil")
	}
	if o.Text == "" {
		others := slices.DeleteFunc(t.Names(), func(name string) bool { return name == o.Target })
		if len(others) != 1 {
			return nil, fmt.Errorf("fit: which of the columns %s has the texts? set TextOptions.Text", list.Names(others))
		}
		o.Text = others[0]
	}
	c, target := t.Column(o.Text), t.Column(o.Target)
	for name, c := range map[string]*table.Column{o.Text: c, o.Target: target} {
		if c == nil {
			return nil, fmt.Errorf("fit: there is no column %s; there are %s", list.Quote(name), list.Names(t.Names()))
		}
	}
	if o.Text == o.Target {
		return nil, fmt.Errorf("fit: the column %s cannot be both the text and the target", list.Quote(o.Text))
	}
	if o.Network == "" {
		o.Network = "bag"
	}
	for v, usual := range map[*int]int{&o.Tokens: 4096, &o.Width: 64} {
		if *v == 0 {
			*v = usual
		}
	}
	p, err := prepare(&table.Table{Columns: []*table.Column{target, c}, Dialect: t.Dialect}, Options{Target: o.Target, Task: Classify, Valid: max(o.Valid, 0), Seed: o.Seed, Schema: textSchema(t, o)})
	if err != nil {
		return nil, err
	}
	n := p.table.Rows()
	if o.Rate == 0 && o.Network == "bag" {
		o.Rate = 0.01 // the mean of embeddings bears it, and needs it
	}
	media, err := o.MediaOptions.filled(n)
	if err != nil {
		return nil, err
	}
	f := p.folds[0]
	texts := make([]string, n)
	for i := range texts {
		texts[i] = p.table.Column(o.Text).Text(i)
	}
	medium := &textMedium{Network: o.Network, Column: o.Text, Length: o.Length, Width: o.Width, Classes: len(p.classes), Dropout: media.Dropout}
	medium.bpe, err = text.TrainBPE(func(yield func(string) bool) {
		for _, r := range f.learn {
			if !yield(" " + texts[r]) { // so that the first word is the same as within the text
				return
			}
		}
	}, text.BPEOptions{Size: o.Tokens})
	if err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	var file, compact bytes.Buffer
	if err := errors.Join(medium.bpe.Write(&file), json.Compact(&compact, file.Bytes())); err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	medium.Tokenizer = compact.Bytes()
	if medium.Length == 0 {
		var lengths []int
		for _, r := range f.learn {
			lengths = append(lengths, len(medium.bpe.Pieces(" "+texts[r])))
		}
		slices.Sort(lengths)
		medium.Length = max(1, min(256, lengths[len(lengths)*19/20]))
	}
	m := &Model{medium: medium, schema: p.schema, About: About{Version: version, Task: Classify, Target: o.Target, Classes: p.classes, Share: 1, Temperature: 1, Threshold: 0.5, Seed: o.Seed,
		Rows: len(f.learn), Split: fmt.Sprintf("%d texts to learn, %d to judge, in equal shares of the classes", len(f.learn), len(f.judge)), Notes: p.notes, Digest: digest(p.table)}}
	if err := m.checkMedia(); err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	set := func(rows []int) (*data.Set, error) {
		tokens, labels := make([]int32, len(rows)*medium.Length), make([]int32, len(rows))
		for i, r := range rows {
			medium.read(tokens[i*medium.Length:(i+1)*medium.Length], texts[r])
			labels[i] = p.class[r]
		}
		return data.NewSet(
			data.Field{Name: "tokens", Array: data.Array{Shape: []int{len(rows), medium.Length}, Data: tokens}},
			data.Field{Name: "label", Array: data.Array{Shape: []int{len(rows)}, Data: labels}})
	}
	learn, err := set(f.learn)
	if err != nil {
		return nil, err
	}
	judge, err := set(f.judge)
	if err != nil {
		return nil, err
	}
	counts := make([]int, len(p.classes))
	for _, r := range f.learn {
		counts[p.class[r]]++
	}
	per := o.Width
	if o.Network == "transformer" {
		per = 2 * (12*o.Width*o.Width + 2*medium.Length*o.Width)
	}
	media.plan(float64(medium.Length*per), len(f.learn))
	l := &learner{medium: medium, options: media, target: "label", loss: crossEntropy("label", media.balance(counts)), learn: learn, judge: judge}
	if err := l.train(ctx); err != nil {
		return nil, err
	}
	return m, m.classify(ctx, l, counts)
}

// textSchema is the schema of a table of texts.
func textSchema(t *table.Table, o TextOptions) *table.Schema {
	target := table.Description{Name: o.Target, Kind: table.Category, Role: table.Target, Why: "the class of the text", Numbers: t.Column(o.Target).Numbers != nil}
	column := table.Description{Name: o.Text, Kind: table.Text, Role: table.Feature, Why: "the text"}
	return &table.Schema{Rows: t.Rows(), Columns: []table.Description{column, target}}
}

// padding is the number that stands where a text has ended.
func (m *textMedium) padding() int32 { return int32(m.bpe.Len()) }

// read writes the tokens of a text.
func (m *textMedium) read(to []int32, words string) {
	n := 0
	if words != "" {
		n = copy(to, m.bpe.Pieces(" "+words))
	}
	for i := n; i < len(to); i++ {
		to[i] = m.padding()
	}
}

func (m *textMedium) check(about *About) error {
	if m.bpe == nil {
		var err error
		if m.bpe, err = text.ReadBPE(bytes.NewReader(m.Tokenizer)); err != nil {
			return err
		}
	}
	switch {
	case m.Network != "bag" && m.Network != "transformer":
		return fmt.Errorf("network %s: there are bag and transformer", list.Quote(m.Network))
	case m.Length < 1 || m.Length > 4096:
		return fmt.Errorf("texts of %d tokens: there must be 1 to 4096", m.Length)
	case m.Width < 4 || m.Width > 4096 || m.Width%4 != 0:
		return fmt.Errorf("embeddings of %d numbers: there must be 4 to 4096, divisible by 4", m.Width)
	case m.Classes < 2 || m.Classes > 1<<16 || m.Classes != len(about.Classes) || about.Task != Classify:
		return fmt.Errorf("a model of texts with the task %q, %d classes and %d names for them", about.Task, m.Classes, len(about.Classes))
	case !within(m.Dropout, 0, 0.99):
		return fmt.Errorf("a dropout of %v", m.Dropout)
	}
	return nil
}

func (m *textMedium) network() any {
	if m.net == nil {
		m.net = newReader(m)
	}
	return m.net
}

func (m *textMedium) declare(g *tarn.Graph, n int) []*tarn.Value {
	return []*tarn.Value{g.Input("tokens", tarn.I32, n, m.Length)}
}

func (m *textMedium) forward(in []*tarn.Value) *tarn.Value {
	m.network()
	return m.net.forward(in[0])
}

func (m *textMedium) tensors(t *table.Table) ([]*tarn.Tensor, error) {
	c := t.Column(m.Column)
	if c == nil {
		return nil, fmt.Errorf("there is no column %s; there are %s", list.Quote(m.Column), list.Names(t.Names()))
	}
	tokens, err := tarn.NewTensor(tarn.I32, t.Rows(), m.Length)
	if err != nil {
		return nil, fmt.Errorf("tokens of %d rows: %w", t.Rows(), err)
	}
	for i := range t.Rows() {
		m.read(tokens.I32()[i*m.Length:(i+1)*m.Length], c.Text(i))
	}
	return []*tarn.Tensor{tokens}, nil
}

// reader is a network for texts: the mean of the embeddings of the tokens, which a transformer may have worked on before, and a linear layer.
type reader struct {
	Embed  *nn.Embedding
	Places *nn.Embedding // of the transformer
	Layers []*nn.TransformerEncoderLayer
	Drop   *nn.Dropout
	Out    *nn.Linear

	padding int32
}

func newReader(m *textMedium) *reader {
	r := &reader{Embed: nn.NewEmbedding(m.bpe.Len()+1, m.Width), Drop: nn.NewDropout(m.Dropout), Out: nn.NewLinear(m.Width, m.Classes), padding: m.padding()}
	r.Embed.Weight.SetInit(nn.Normal(0, 0.1))
	if m.Network == "transformer" {
		r.Places = nn.NewEmbedding(m.Length, m.Width)
		r.Places.Weight.SetInit(nn.Normal(0, 0.02))
		for range 2 {
			l := nn.NewTransformerEncoderLayer(m.Width, 4, 2*m.Width)
			l.NormFirst, l.Dropout = true, m.Dropout
			r.Layers = append(r.Layers, l)
		}
	}
	return r
}

func (r *reader) forward(tokens *tarn.Value) *tarn.Value {
	n, length := tokens.Shape()[0], tokens.Shape()[1]
	there := tokens.Ne(tarn.Num(float64(r.padding)))
	x := r.Embed.Forward(tokens) // [n length width]
	if r.Places != nil {
		x = x.Add(r.Places.Weight.Value(x.Graph()))
		for _, l := range r.Layers {
			x = l.Encode(x, tarn.AttentionOptions{Mask: there.Reshape(n, 1, 1, length)})
		}
	}
	weight := there.Cast(tarn.F32)
	sum := x.Mul(weight.Reshape(n, length, 1)).Sum(1)
	count := weight.Sum(1).Maximum(tarn.Num(1)).Reshape(n, 1)
	return r.Out.Forward(r.Drop.Forward(sum.Div(count)))
}
