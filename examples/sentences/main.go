// Command sentences turns sentences into vectors that are near each other if the sentences mean about the same, with a sentence encoder of the MiniLM
// architecture: BERT, and the mean of its vectors. Its folder has model.safetensors, config.json and tokenizer.json, as all-MiniLM-L6-v2 has:
//
//	hf download sentence-transformers/all-MiniLM-L6-v2 --local-dir minilm
//	sentences -model minilm "The sky is blue." "What color is the sky?" "Bread needs salt."
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data/text"
	"github.com/seed-49005b45/tarn/interop/safetensors"
	"github.com/seed-49005b45/tarn/nn"
)

// Encoder is BERT without the head for its own training. Places and weights are those of transformers.BertModel.
type Encoder struct {
	Word, Position, TokenType *nn.Embedding
	Norm                      *nn.LayerNorm
	Layers                    []*Layer

	config    config
	tokenizer *text.WordPiece
}

// Layer is attention and a network of two layers, each added to its input and normalized.
type Layer struct {
	Query, Key, Value, Output, Up, Down *nn.Linear
	Norm1, Norm2                        *nn.LayerNorm
}

// config is a part of config.json.
type config struct {
	Vocabulary int     `json:"vocab_size"`
	Places     int     `json:"max_position_embeddings"`
	Types      int     `json:"type_vocab_size"`
	Width      int     `json:"hidden_size"`
	Hidden     int     `json:"intermediate_size"`
	Layers     int     `json:"num_hidden_layers"`
	Heads      int     `json:"num_attention_heads"`
	Eps        float64 `json:"layer_norm_eps"`
	Activation string  `json:"hidden_act"`
}

// names has the names of the weights in the file and in Encoder.
var names = map[string]string{
	"embeddings.*_embeddings.weight":               "*.weight",
	"embeddings.LayerNorm.*":                       "norm.*",
	"encoder.layer.*.attention.self.*.*":           "layers.*.*.*",
	"encoder.layer.*.attention.output.dense.*":     "layers.*.output.*",
	"encoder.layer.*.attention.output.LayerNorm.*": "layers.*.norm1.*",
	"encoder.layer.*.intermediate.dense.*":         "layers.*.up.*",
	"encoder.layer.*.output.dense.*":               "layers.*.down.*",
	"encoder.layer.*.output.LayerNorm.*":           "layers.*.norm2.*",
}

// Load reads the encoder in a folder.
func Load(dir string) (*Encoder, error) {
	var c config
	content, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err == nil {
		err = json.Unmarshal(content, &c)
	}
	if err != nil {
		return nil, err
	}
	if c.Activation != "gelu" || c.Layers < 1 || c.Layers > 1000 || c.Heads < 1 || c.Width%c.Heads != 0 {
		return nil, fmt.Errorf("%s: config.json is not that of a BERT with gelu", dir)
	}
	m := &Encoder{Word: nn.NewEmbedding(c.Vocabulary, c.Width), Position: nn.NewEmbedding(c.Places, c.Width), TokenType: nn.NewEmbedding(c.Types, c.Width), config: c}
	norm := func() *nn.LayerNorm {
		n := nn.NewLayerNorm(c.Width)
		n.Eps = c.Eps
		return n
	}
	m.Norm = norm()
	for range c.Layers {
		square := func() *nn.Linear { return nn.NewLinear(c.Width, c.Width) }
		m.Layers = append(m.Layers, &Layer{Query: square(), Key: square(), Value: square(), Output: square(),
			Up: nn.NewLinear(c.Width, c.Hidden), Down: nn.NewLinear(c.Hidden, c.Width), Norm1: norm(), Norm2: norm()})
	}
	if m.tokenizer, err = text.LoadWordPiece(filepath.Join(dir, "tokenizer.json"), text.WordPieceOptions{}); err != nil {
		return nil, err
	}
	return m, safetensors.LoadWeights(filepath.Join(dir, "model.safetensors"), m, safetensors.LoadOptions{Rename: names, Skip: []string{"pooler.**", "**.position_ids"}})
}

// Forward returns a vector of length 1 for each row of tokens; keep is 1 for a token and 0 for what only fills a row.
// Shapes: [n t] of i32, [n t] -> [n width].
func (m *Encoder) Forward(tokens, keep *tarn.Value) *tarn.Value {
	n, t := tokens.Shape()[0], tokens.Shape()[1]
	place := m.Position.Weight.Value(tokens.Graph()).Slice(0, 0, t)
	first := m.TokenType.Weight.Value(tokens.Graph()).Slice(0, 0, 1).Squeeze(0)
	x := m.Norm.Forward(m.Word.Forward(tokens).Add(place).Add(first))
	mask := keep.Cast(tarn.Bool).Reshape(n, 1, 1, t)
	for _, l := range m.Layers {
		x = l.Norm1.Forward(x.Add(l.look(x, m.config.Heads, mask)))
		x = l.Norm2.Forward(x.Add(l.Down.Forward(l.Up.Forward(x).GELU())))
	}
	mean := x.Mul(keep.Unsqueeze(-1)).Sum(1).Div(keep.Sum(1).Unsqueeze(-1))
	return mean.Div(mean.Norm(2, -1).Unsqueeze(-1))
}

// look returns softmax(q kᵀ / sqrt(d)) v for every head.
func (l *Layer) look(x *tarn.Value, heads int, mask *tarn.Value) *tarn.Value {
	shape := x.Shape()
	split := func(y *tarn.Value) *tarn.Value {
		return y.Reshape(shape[0], shape[1], heads, shape[2]/heads).Transpose(1, 2)
	}
	y := split(l.Query.Forward(x)).Attention(split(l.Key.Forward(x)), split(l.Value.Forward(x)), tarn.AttentionOptions{Mask: mask})
	return l.Output.Forward(y.Transpose(1, 2).Reshape(shape...))
}

// Encode returns the vectors of sentences. Shapes: [sentences width].
func (m *Encoder) Encode(sentences []string) (*tarn.Tensor, error) {
	rows, longest := make([][]int32, len(sentences)), 1
	for i, s := range sentences {
		rows[i] = m.tokenizer.Encode(s, m.config.Places)
		longest = max(longest, len(rows[i]))
	}
	tokens, keep := tarn.Zeros(tarn.I32, len(rows), longest), tarn.Zeros(tarn.F32, len(rows), longest)
	for i, row := range rows {
		copy(tokens.I32()[i*longest:], row)
		copy(keep.F32()[i*longest:], slices.Repeat([]float32{1}, len(row)))
	}
	g := tarn.NewGraph()
	g.Eval()
	vectors := m.Forward(g.Input("tokens", tarn.I32, tokens.Shape()...), g.Input("keep", tarn.F32, keep.Shape()...))
	program, err := tarn.Compile(g, tarn.Outputs{"vectors": vectors})
	if err != nil {
		return nil, err
	}
	out, err := program.Run(tokens, keep)
	if err != nil {
		return nil, err
	}
	return out["vectors"], nil
}

// run prints how similar each sentence is to each: the cosine of the angle between their vectors.
func run(w io.Writer, dir string, sentences []string) error {
	if len(sentences) < 2 {
		return errors.New("two sentences or more are needed")
	}
	m, err := Load(dir)
	if err != nil {
		return err
	}
	v, err := m.Encode(sentences)
	if err != nil {
		return err
	}
	width := v.Shape()[1]
	for i, s := range sentences {
		for j := range sentences {
			cosine := 0.0
			for k := range width {
				cosine += v.Float(i*width+k) * v.Float(j*width+k)
			}
			fmt.Fprintf(w, "%6.3f", cosine)
		}
		fmt.Fprintf(w, "  %s\n", s)
	}
	return nil
}

func main() {
	dir := flag.String("model", "minilm", "folder of the encoder")
	flag.Parse()
	if err := run(os.Stdout, *dir, flag.Args()); err != nil {
		log.Fatal(err)
	}
}
