package text

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file reads and writes the tokenizer.json of Hugging Face for BPE.

// bpeFile is a tokenizer.json whose model is BPE.
type bpeFile struct {
	Version       string          `json:"version"`
	Truncation    json.RawMessage `json:"truncation"`
	Padding       json.RawMessage `json:"padding"`
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    *normalizer     `json:"normalizer"`
	PreTokenizer  *preTokenizer   `json:"pre_tokenizer"`
	PostProcessor *processor      `json:"post_processor"`
	Decoder       *decoder        `json:"decoder"`
	Model         bpeModel        `json:"model"`
}

type bpeModel struct {
	Type         string           `json:"type"`
	Dropout      *float64         `json:"dropout"`
	Unknown      *string          `json:"unk_token"`
	Prefix       *string          `json:"continuing_subword_prefix"`
	Suffix       *string          `json:"end_of_word_suffix"`
	FuseUnknown  bool             `json:"fuse_unk"`
	ByteFallback bool             `json:"byte_fallback"`
	IgnoreMerges bool             `json:"ignore_merges"`
	Vocab        map[string]int32 `json:"vocab"`
	Merges       []mergeText      `json:"merges"`
}

// mergeText is a pair, as ["a","b"] or, in older files, as "a b".
type mergeText [2]string

// UnmarshalJSON reads both forms.
func (m *mergeText) UnmarshalJSON(text []byte) error {
	var two []string
	if json.Unmarshal(text, &two) == nil && len(two) == 2 {
		*m = mergeText(two)
		return nil
	}
	var one string
	if err := json.Unmarshal(text, &one); err != nil {
		return fmt.Errorf("a merge is %.40s: want two tokens", text)
	}
	left, right, ok := strings.Cut(one, " ")
	if !ok || strings.Contains(right, " ") {
		return fmt.Errorf("a merge is %s: want two tokens with a blank between them", list.Quote(one))
	}
	*m = mergeText{left, right}
	return nil
}

type normalizer struct {
	Type        string       `json:"type"`
	Normalizers []normalizer `json:"normalizers,omitempty"`
}

type preTokenizer struct {
	Type           string         `json:"type"`
	AddPrefixSpace *bool          `json:"add_prefix_space,omitempty"`
	TrimOffsets    *bool          `json:"trim_offsets,omitempty"`
	UseRegex       *bool          `json:"use_regex,omitempty"`
	Pattern        *splitPattern  `json:"pattern,omitempty"`
	Behavior       string         `json:"behavior,omitempty"`
	Invert         *bool          `json:"invert,omitempty"`
	PreTokenizers  []preTokenizer `json:"pretokenizers,omitempty"`
}

type splitPattern struct {
	Regex  *string `json:"Regex,omitempty"`
	String *string `json:"String,omitempty"`
}

type decoder struct {
	Type           string `json:"type"`
	AddPrefixSpace bool   `json:"add_prefix_space"`
	TrimOffsets    bool   `json:"trim_offsets"`
	UseRegex       bool   `json:"use_regex"`
}

type processor struct {
	Type           string               `json:"type"`
	Sep            []any                `json:"sep,omitempty"`
	Cls            []any                `json:"cls,omitempty"`
	Single         []map[string]piece   `json:"single,omitempty"`
	Pair           []map[string]piece   `json:"pair,omitempty"`
	SpecialTokens  map[string]specialID `json:"special_tokens,omitempty"`
	AddPrefixSpace *bool                `json:"add_prefix_space,omitempty"`
	TrimOffsets    *bool                `json:"trim_offsets,omitempty"`
	UseRegex       *bool                `json:"use_regex,omitempty"`
	Processors     []processor          `json:"processors,omitempty"`
}

type specialID struct {
	ID     string   `json:"id"`
	IDs    []int32  `json:"ids"`
	Tokens []string `json:"tokens"`
}

// LoadBPE reads the tokenizer.json at path: byte-level BPE such as that of GPT-2, RoBERTa, Llama 3 or Qwen. What truncates or pads texts in the file is ignored.
func LoadBPE(path string) (*BPE, error) {
	content, err := file.Read(path, maxTokenizer)
	if err != nil {
		return nil, fmt.Errorf("text: %w", err)
	}
	t, err := parseBPE(content)
	if err != nil {
		return nil, fmt.Errorf("text: %s: %w", file.Name(path), err)
	}
	return t, nil
}

// ReadBPE reads a tokenizer.json.
func ReadBPE(r io.Reader) (*BPE, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxTokenizer+1))
	if err == nil && len(content) > maxTokenizer {
		err = fmt.Errorf("the tokenizer has more than %d bytes", maxTokenizer)
	}
	var t *BPE
	if err == nil {
		t, err = parseBPE(content)
	}
	if err != nil {
		return nil, fmt.Errorf("text: %w", err)
	}
	return t, nil
}

func parseBPE(content []byte) (*BPE, error) {
	if !utf8.Valid(content) {
		return nil, errors.New("the file is not UTF-8 text")
	}
	var kind struct {
		Model struct {
			Type  string `json:"type"`
			Vocab json.RawMessage
		} `json:"model"`
	}
	if err := json.Unmarshal(content, &kind); err != nil {
		return nil, fmt.Errorf("broken JSON: %w", err)
	}
	if kind.Model.Type != "BPE" {
		return nil, fmt.Errorf("the model is %s, not BPE", list.Quote(kind.Model.Type))
	}
	var f bpeFile
	if err := json.Unmarshal(content, &f); err != nil {
		return nil, fmt.Errorf("broken JSON: %w", err)
	}
	m := f.Model
	isSet := func(s *string) bool { return s != nil && *s != "" }
	switch {
	case m.ByteFallback:
		return nil, errors.New("the model falls back to bytes (byte_fallback), as those of SentencePiece do: only byte-level BPE is read")
	case isSet(m.Prefix) || isSet(m.Suffix):
		return nil, errors.New("the model has a continuing_subword_prefix or an end_of_word_suffix: only byte-level BPE is read")
	case m.Dropout != nil && *m.Dropout != 0:
		return nil, errors.New("the model drops merges at random (dropout): this is not read")
	case len(m.Vocab) == 0 || len(m.Vocab)+len(f.AddedTokens) > maxVocabulary:
		return nil, fmt.Errorf("a vocabulary of %d tokens: want from 1 to %d", len(m.Vocab), maxVocabulary)
	}
	t := &BPE{rank: map[pair]merge{}, added: f.AddedTokens, whole: m.IgnoreMerges}
	ids := m.Vocab
	for _, a := range f.AddedTokens {
		if id, ok := ids[a.Content]; ok && id != a.ID {
			return nil, fmt.Errorf("token %s has the numbers %d and %d", list.Quote(a.Content), id, a.ID)
		}
		ids[a.Content] = a.ID
	}
	numbers := &WordPiece{}
	if err := numbers.number(ids); err != nil {
		return nil, err
	}
	t.tokens, t.index = numbers.tokens, numbers.index
	for i, text := range m.Merges {
		var p pair
		var token int32
		for k, piece := range []string{text[0], text[1], text[0] + text[1]} {
			id, ok := t.index[piece]
			if !ok {
				return nil, fmt.Errorf("merge %d: the token %s is not in the vocabulary", i, list.Quote(piece))
			}
			*[]*int32{&p.left, &p.right, &token}[k] = id
		}
		if _, twice := t.rank[p]; !twice {
			t.rank[p] = merge{int32(i), token}
		}
		t.merges = append(t.merges, p)
	}
	if err := t.normalizers(f.Normalizer); err != nil {
		return nil, err
	}
	if err := t.preTokenizer(f.PreTokenizer); err != nil {
		return nil, err
	}
	if f.Decoder == nil || f.Decoder.Type != "ByteLevel" {
		return nil, errors.New("the decoder is not ByteLevel, the only one that is read")
	}
	if err := t.processor(f.PostProcessor); err != nil {
		return nil, err
	}
	return t, t.finish()
}

// normalizers reads how a text is normalized.
func (t *BPE) normalizers(n *normalizer) error {
	if n == nil {
		return nil
	}
	if n.Type == "Sequence" {
		for i := range n.Normalizers {
			if n.Normalizers[i].Type == "Sequence" {
				return errors.New("a sequence of normalizers within another is not read")
			}
			if err := t.normalizers(&n.Normalizers[i]); err != nil {
				return err
			}
		}
		return nil
	}
	form, ok := normalForms[n.Type]
	if !ok {
		return fmt.Errorf("the normalizer %s is not read: there are NFC, NFD, NFKC, NFKD, Lowercase and Sequence", list.Quote(n.Type))
	}
	t.forms, t.names = append(t.forms, form), append(t.names, n.Type)
	return nil
}

// preTokenizer reads how a text is split into words: by ByteLevel with GPT-2's pattern, or by a pattern and ByteLevel without one.
func (t *BPE) preTokenizer(p *preTokenizer) (err error) {
	unread := errors.New("the pre-tokenizer is neither ByteLevel nor a Sequence of a Split by a pattern, isolated, and ByteLevel: others are not read")
	if p == nil {
		return unread
	}
	steps := []preTokenizer{*p}
	if p.Type == "Sequence" {
		steps = p.PreTokenizers
	}
	yes := func(b *bool, usual bool) bool { return b == nil && usual || b != nil && *b }
	last := len(steps) - 1
	if last < 0 || last > 1 || steps[last].Type != "ByteLevel" {
		return unread
	}
	t.prefix = yes(steps[last].AddPrefixSpace, true)
	regex := yes(steps[last].UseRegex, true)
	if last == 1 {
		s := steps[0]
		if s.Type != "Split" || s.Behavior != "Isolated" || yes(s.Invert, false) || s.Pattern == nil || s.Pattern.Regex == nil || regex || t.prefix {
			return unread
		}
		t.pattern, err = newSplitter(*s.Pattern.Regex)
		return err
	}
	if regex {
		t.pattern, err = newSplitter(GPT2)
	}
	return err
}

// processor reads what is put around texts.
func (t *BPE) processor(p *processor) error {
	if p == nil {
		return nil
	}
	t.spec = *p
	steps := []processor{*p}
	if p.Type == "Sequence" {
		steps = p.Processors
	}
	for _, s := range steps {
		switch s.Type {
		case "ByteLevel": // concerns places in the text alone
			continue
		case "RobertaProcessing", "BertProcessing", "TemplateProcessing":
		default:
			return fmt.Errorf("the post-processor %s is not read: there are ByteLevel, TemplateProcessing, RobertaProcessing, BertProcessing and Sequence", list.Quote(s.Type))
		}
		if t.single != nil {
			return errors.New("two post-processors put tokens around texts: this is not read")
		}
		f := tokenizerFile{}
		text, err := json.Marshal(s)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(append(append([]byte(`{"post_processor":`), text...), '}'), &f); err != nil {
			return err
		}
		if s.Type == "RobertaProcessing" {
			f.PostProcessor.Type = "BertProcessing"
		}
		w := &WordPiece{tokens: t.tokens}
		if err := w.templates(&f); err != nil {
			return err
		}
		t.single, t.pair = w.single, w.pair
		if s.Type == "RobertaProcessing" { // <s> A </s> </s> B </s>, all in segment 0
			sep := t.single[2]
			t.pair = []templatePart{t.single[0], {text: 1}, sep, sep, {text: 2}, sep}
		}
	}
	return nil
}

// Save writes the tokenizer to the file at path as a tokenizer.json, atomically.
func (t *BPE) Save(path string) error {
	return file.Replace(file.Disk, path, t.Write)
}

// Write writes the tokenizer as a tokenizer.json.
func (t *BPE) Write(w io.Writer) error {
	no, yes := false, true
	f := bpeFile{Version: "1.0", AddedTokens: t.added, Decoder: &decoder{"ByteLevel", true, true, true}}
	if f.AddedTokens == nil {
		f.AddedTokens = []addedToken{}
	}
	switch {
	case len(t.names) == 1:
		f.Normalizer = &normalizer{Type: t.names[0]}
	case len(t.names) > 1:
		f.Normalizer = &normalizer{Type: "Sequence"}
		for _, n := range t.names {
			f.Normalizer.Normalizers = append(f.Normalizer.Normalizers, normalizer{Type: n})
		}
	}
	bytesAlone := func(regex bool) preTokenizer {
		return preTokenizer{Type: "ByteLevel", AddPrefixSpace: &t.prefix, TrimOffsets: &yes, UseRegex: &regex}
	}
	switch {
	case t.pattern == nil:
		p := bytesAlone(false)
		f.PreTokenizer = &p
	case t.pattern.source == GPT2:
		p := bytesAlone(true)
		f.PreTokenizer = &p
	default:
		split := preTokenizer{Type: "Split", Pattern: &splitPattern{Regex: &t.pattern.source}, Behavior: "Isolated", Invert: &no}
		f.PreTokenizer = &preTokenizer{Type: "Sequence", PreTokenizers: []preTokenizer{split, bytesAlone(false)}}
	}
	if f.PostProcessor = &t.spec; t.spec.Type == "" {
		f.PostProcessor = &processor{Type: "ByteLevel", AddPrefixSpace: &yes, TrimOffsets: &no, UseRegex: &yes}
	}
	f.Model = bpeModel{Type: "BPE", IgnoreMerges: t.whole, Vocab: map[string]int32{}, Merges: []mergeText{}}
	inMerges := map[int32]bool{}
	for _, p := range t.merges {
		f.Model.Merges = append(f.Model.Merges, mergeText{t.tokens[p.left], t.tokens[p.right]})
		inMerges[t.rank[p].token] = true
	}
	for id, token := range t.tokens {
		if token != "" && (!slices.ContainsFunc(t.added, func(a addedToken) bool { return int(a.ID) == id && !a.Special }) || inMerges[int32(id)]) {
			f.Model.Vocab[token] = int32(id)
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(f); err != nil {
		return fmt.Errorf("text: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}
