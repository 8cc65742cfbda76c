package text

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/list"
)

// This file holds WordPiece, the tokenizer of BERT and its kin. A text is cleaned and split into words and punctuation; each word becomes
// the longest piece of the vocabulary that it begins with, then the longest that goes on, which the vocabulary has with ## before it.
// Schuster, Nakajima, Japanese and Korean voice search, 2012; Devlin et al., BERT, 2018.

// WordPiece numbers the pieces that words are made of. Its numbers are those of Hugging Face's tokenizers (BertNormalizer, BertPreTokenizer, WordPiece), but
// for rare characters that Unicode has called punctuation, marks or formats since the tables of those were made.
// Several goroutines may use it.
type WordPiece struct {
	tokens       []string // by number
	index        map[string]int32
	special      []string // tokens that are found in the text as they are, the longest first
	specialIDs   map[int32]bool
	unknown      int32
	prefix       string // of pieces that go on a word
	maxCharacter int    // of a word
	clean        bool
	spaceCJK     bool
	stripAccents bool
	lower        bool
	cleanup      bool // of Decode
	single, pair []templatePart
}

// templatePart is a token, or a text, and the number of the segment that it is in.
type templatePart struct {
	token int32
	text  int // 1 for the first text, 2 for the second, 0 for the token
	kind  int32
}

// WordPieceOptions say how a text is cleaned.
type WordPieceOptions struct {
	// Cased keeps capital letters and accents, which are otherwise made small and dropped.
	Cased bool
}

const (
	maxTokenizer  = 64 << 20 // bytes of a file
	maxVocabulary = 1 << 24  // tokens
)

// NewWordPiece returns the tokenizer of BERT with a vocabulary, which must have the tokens [UNK], [CLS] and [SEP]. The number of a token is
// its place. [PAD] and [MASK] are special too, if they are there.
func NewWordPiece(vocabulary []string, o WordPieceOptions) (*WordPiece, error) {
	w, err := newWordPiece(vocabulary, o)
	if err != nil {
		return nil, fmt.Errorf("text: %w", err)
	}
	return w, nil
}

func newWordPiece(vocabulary []string, o WordPieceOptions) (*WordPiece, error) {
	w := &WordPiece{prefix: "##", maxCharacter: 100, clean: true, spaceCJK: true, stripAccents: !o.Cased, lower: !o.Cased, cleanup: true}
	ids := map[string]int32{}
	for i, token := range vocabulary {
		if before, ok := ids[token]; ok {
			return nil, fmt.Errorf("the vocabulary has %s twice, at %d and %d", list.Quote(token), before, i)
		}
		ids[token] = int32(i)
	}
	if err := w.number(ids); err != nil {
		return nil, err
	}
	var cls, sep int32
	for _, t := range []struct {
		token string
		id    *int32
	}{{"[UNK]", &w.unknown}, {"[CLS]", &cls}, {"[SEP]", &sep}} {
		id, ok := w.index[t.token]
		if !ok {
			return nil, fmt.Errorf("the vocabulary of %d tokens has no %s", len(w.index), t.token)
		}
		*t.id = id
	}
	for _, token := range []string{"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"} {
		if id, ok := w.index[token]; ok {
			w.addSpecial(token, id)
		}
	}
	w.single = []templatePart{{token: cls}, {text: 1}, {token: sep}}
	w.pair = append(slices.Clone(w.single), templatePart{text: 2, kind: 1}, templatePart{token: sep, kind: 1})
	return w, nil
}

// number fills the tables of a vocabulary.
func (w *WordPiece) number(ids map[string]int32) error {
	if len(ids) == 0 || len(ids) > maxVocabulary {
		return fmt.Errorf("a vocabulary of %d tokens: want from 1 to %d", len(ids), maxVocabulary)
	}
	most := int32(-1)
	for token, id := range ids {
		if id < 0 || id >= maxVocabulary {
			return fmt.Errorf("token %s has the number %d: want from 0 to %d", list.Quote(token), id, maxVocabulary-1)
		}
		most = max(most, id)
	}
	w.tokens = make([]string, most+1)
	taken := make([]bool, most+1)
	w.index = make(map[string]int32, len(ids))
	for token, id := range ids {
		if taken[id] {
			return fmt.Errorf("tokens %s and %s have the number %d", list.Quote(min(token, w.tokens[id])), list.Quote(max(token, w.tokens[id])), id)
		}
		taken[id], w.tokens[id], w.index[token] = true, token, id
	}
	return nil
}

// addSpecial makes a token special.
func (w *WordPiece) addSpecial(token string, id int32) {
	if w.specialIDs == nil {
		w.specialIDs = map[int32]bool{}
	}
	if w.specialIDs[id] {
		return
	}
	w.specialIDs[id] = true
	w.special = append(w.special, token)
	slices.SortFunc(w.special, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
}

// LoadWordPiece reads the tokenizer of a file: a tokenizer.json of Hugging Face, or a vocabulary with a token on each line, as vocab.txt, for which the
// options count.
func LoadWordPiece(path string, o WordPieceOptions) (*WordPiece, error) {
	content, err := file.Read(path, maxTokenizer)
	if err != nil {
		return nil, fmt.Errorf("text: %w", err)
	}
	w, err := readWordPiece(content, o)
	if err != nil {
		return nil, fmt.Errorf("text: %s: %w", file.Name(path), err)
	}
	return w, nil
}

func readWordPiece(content []byte, o WordPieceOptions) (*WordPiece, error) {
	if !utf8.Valid(content) {
		return nil, errors.New("the file is not UTF-8 text")
	}
	if bytes.HasPrefix(bytes.TrimLeft(content, " \t\r\n"), []byte("{")) {
		return parseTokenizer(content)
	}
	lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "\r")
	}
	return newWordPiece(lines, o)
}

// tokenizerFile is a tokenizer.json, as far as WordPiece needs it.
type tokenizerFile struct {
	AddedTokens []struct {
		ID         int32  `json:"id"`
		Content    string `json:"content"`
		SingleWord bool   `json:"single_word"`
		LStrip     bool   `json:"lstrip"`
		RStrip     bool   `json:"rstrip"`
		Normalized bool   `json:"normalized"`
		Special    bool   `json:"special"`
	} `json:"added_tokens"`
	Normalizer *struct {
		Type               string `json:"type"`
		CleanText          bool   `json:"clean_text"`
		HandleChineseChars bool   `json:"handle_chinese_chars"`
		StripAccents       *bool  `json:"strip_accents"`
		Lowercase          bool   `json:"lowercase"`
	} `json:"normalizer"`
	PreTokenizer *struct {
		Type string `json:"type"`
	} `json:"pre_tokenizer"`
	PostProcessor *struct {
		Type          string              `json:"type"`
		Sep           []any               `json:"sep"`
		Cls           []any               `json:"cls"`
		Single        []map[string]piece  `json:"single"`
		Pair          []map[string]piece  `json:"pair"`
		SpecialTokens map[string]numbered `json:"special_tokens"`
	} `json:"post_processor"`
	Decoder *struct {
		Type    string `json:"type"`
		Cleanup bool   `json:"cleanup"`
	} `json:"decoder"`
	Model struct {
		Type     string           `json:"type"`
		Unknown  string           `json:"unk_token"`
		Prefix   *string          `json:"continuing_subword_prefix"`
		MaxInput *int             `json:"max_input_chars_per_word"`
		Vocab    map[string]int32 `json:"vocab"`
	} `json:"model"`
}

type piece struct {
	ID   string `json:"id"`
	Type int32  `json:"type_id"`
}

type numbered struct {
	IDs []int32 `json:"ids"`
}

func parseTokenizer(content []byte) (*WordPiece, error) {
	var kind struct {
		Model struct {
			Type string `json:"type"`
		} `json:"model"`
	}
	if err := json.Unmarshal(content, &kind); err != nil {
		return nil, fmt.Errorf("broken JSON: %w", err)
	}
	if kind.Model.Type != "WordPiece" {
		return nil, fmt.Errorf("the model is %s, not WordPiece", list.Quote(kind.Model.Type))
	}
	var f tokenizerFile
	if err := json.Unmarshal(content, &f); err != nil {
		return nil, fmt.Errorf("broken JSON: %w", err)
	}
	w := &WordPiece{prefix: "##", maxCharacter: 100}
	if f.Model.Prefix != nil {
		w.prefix = *f.Model.Prefix
	}
	if f.Model.MaxInput != nil {
		w.maxCharacter = *f.Model.MaxInput
	}
	ids := f.Model.Vocab
	if ids == nil {
		ids = map[string]int32{}
	}
	for _, t := range f.AddedTokens {
		switch id, ok := ids[t.Content]; {
		case t.Content == "":
			return nil, errors.New("an added token is empty")
		case ok && id != t.ID:
			return nil, fmt.Errorf("token %s has the numbers %d and %d", list.Quote(t.Content), id, t.ID)
		case t.SingleWord || t.LStrip || t.RStrip || t.Normalized && !t.Special:
			return nil, fmt.Errorf("the added token %s has single_word, lstrip, rstrip or normalized: such tokens are not read", list.Quote(t.Content))
		}
		ids[t.Content] = t.ID
	}
	if err := w.number(ids); err != nil {
		return nil, err
	}
	for _, t := range f.AddedTokens {
		w.addSpecial(t.Content, t.ID)
	}
	var ok bool
	if w.unknown, ok = w.index[f.Model.Unknown]; !ok {
		return nil, fmt.Errorf("the token for unknown words, %s, is not in the vocabulary", list.Quote(f.Model.Unknown))
	}
	if n := f.Normalizer; n != nil {
		if n.Type != "BertNormalizer" {
			return nil, fmt.Errorf("the normalizer %s is not read, only BertNormalizer", list.Quote(n.Type))
		}
		w.clean, w.spaceCJK, w.lower, w.stripAccents = n.CleanText, n.HandleChineseChars, n.Lowercase, n.Lowercase
		if n.StripAccents != nil {
			w.stripAccents = *n.StripAccents
		}
	}
	if f.PreTokenizer == nil || f.PreTokenizer.Type != "BertPreTokenizer" {
		return nil, errors.New("the pre-tokenizer is not BertPreTokenizer, the only one that is read")
	}
	if d := f.Decoder; d != nil && d.Type == "WordPiece" {
		w.cleanup = d.Cleanup
	}
	return w, w.templates(&f)
}

// templates reads what is put around texts.
func (w *WordPiece) templates(f *tokenizerFile) error {
	p := f.PostProcessor
	w.single, w.pair = []templatePart{{text: 1}}, []templatePart{{text: 1}, {text: 2, kind: 1}}
	if p == nil {
		return nil
	}
	known := func(id int32) error {
		if id < 0 || int(id) >= len(w.tokens) {
			return fmt.Errorf("the post-processor has the token %d of a vocabulary of %d", id, len(w.tokens))
		}
		return nil
	}
	switch p.Type {
	case "BertProcessing":
		var around [2]int32
		for i, pair := range [][]any{p.Cls, p.Sep} {
			if len(pair) != 2 {
				return errors.New("the post-processor lacks cls or sep")
			}
			id, ok := pair[1].(float64)
			if !ok || id != float64(int32(id)) {
				return fmt.Errorf("the post-processor has the number %v of a token", pair[1])
			}
			around[i] = int32(id)
			if err := known(around[i]); err != nil {
				return err
			}
		}
		w.single = []templatePart{{token: around[0]}, {text: 1}, {token: around[1]}}
		w.pair = append(slices.Clone(w.single), templatePart{text: 2, kind: 1}, templatePart{token: around[1], kind: 1})
		return nil
	case "TemplateProcessing":
	default:
		return fmt.Errorf("the post-processor %s is not read, only TemplateProcessing and BertProcessing", list.Quote(p.Type))
	}
	for _, t := range []struct {
		from []map[string]piece
		to   *[]templatePart
		need int
	}{{p.Single, &w.single, 1}, {p.Pair, &w.pair, 2}} {
		*t.to = nil
		texts := 0
		for _, part := range t.from {
			sequence, isText := part["Sequence"]
			token, isToken := part["SpecialToken"]
			switch {
			case isText && (sequence.ID == "A" || sequence.ID == "B" && t.need == 2):
				texts++
				*t.to = append(*t.to, templatePart{text: int(sequence.ID[0]-'A') + 1, kind: sequence.Type})
			case isToken:
				for _, id := range p.SpecialTokens[token.ID].IDs {
					if err := known(id); err != nil {
						return err
					}
					*t.to = append(*t.to, templatePart{token: id, kind: token.Type})
				}
			default:
				return errors.New("a template of the post-processor has a part that is neither a text nor a token")
			}
		}
		if texts != t.need {
			return fmt.Errorf("a template of the post-processor has %d texts and should have %d", texts, t.need)
		}
	}
	return nil
}

// Len returns the number of tokens, one more than the largest number.
func (w *WordPiece) Len() int { return len(w.tokens) }

// ID returns the number of a token, and whether it is in the vocabulary.
func (w *WordPiece) ID(token string) (int32, bool) {
	id, ok := w.index[token]
	return id, ok
}

// Token returns the token of a number, and "" for a number out of range.
func (w *WordPiece) Token(id int32) string {
	if id < 0 || int(id) >= len(w.tokens) {
		return ""
	}
	return w.tokens[id]
}

// Pieces returns the numbers of a text's pieces, without tokens around it. A special token such as [SEP] in the text is that token. What is not
// UTF-8 counts as the replacement character, which is dropped.
func (w *WordPiece) Pieces(text string) []int32 {
	var out []int32
	for text != "" {
		at, token := len(text), ""
		for _, s := range w.special { // the longest first
			if i := strings.Index(text[:min(len(text), at+len(s))], s); i >= 0 && i < at {
				at, token = i, s
			}
		}
		out = w.words(out, text[:at])
		if token != "" {
			out = append(out, w.index[token])
		}
		text = text[at+len(token):]
	}
	return out
}

// Encode returns the numbers of a text's pieces with the special tokens around it, at most limit of them: further pieces are cut off at the end.
// 0 means no limit.
func (w *WordPiece) Encode(text string, limit int) []int32 {
	tokens, _ := fill(w.single, limit, w.Pieces(text), nil)
	return tokens
}

// EncodePair returns the numbers of two texts' pieces with the special tokens around them, and for each the number of its segment. If they are more
// than the limit, pieces are cut off at the end of the longer text. 0 means no limit.
func (w *WordPiece) EncodePair(a, b string, limit int) (tokens, segments []int32) {
	return fill(w.pair, limit, w.Pieces(a), w.Pieces(b))
}

// fill puts texts into a template.
func fill(template []templatePart, limit int, a, b []int32) (tokens, segments []int32) {
	if limit > 0 {
		room := limit
		for _, p := range template {
			if p.text == 0 {
				room--
			}
		}
		a, b = shorten(a, b, max(room, 0))
	}
	for _, p := range template {
		part := [][]int32{{p.token}, a, b}[p.text]
		tokens = append(tokens, part...)
		for range part {
			segments = append(segments, p.kind)
		}
	}
	if limit > 0 && len(tokens) > limit { // no room for the special tokens themselves
		tokens, segments = tokens[:limit], segments[:limit]
	}
	return tokens, segments
}

// shorten cuts the longer of two texts, or both to one length, the first one being longer by one if it must be.
func shorten(a, b []int32, room int) (x, y []int32) {
	if len(a)+len(b) <= room {
		return a, b
	}
	n, m := len(a), len(b)
	short := min(n, m, room/2)
	if n <= m {
		n, m = min(n, short), room-min(n, short)
	} else {
		n, m = room-min(m, short), min(m, short)
	}
	return a[:n], b[:m]
}

// Decode returns the text of the numbers without special tokens. Letters that Encode has made small stay so.
func (w *WordPiece) Decode(tokens ...int32) string {
	var b strings.Builder
	first := true
	for _, id := range tokens {
		token := w.Token(id)
		if w.specialIDs[id] || token == "" {
			continue
		}
		rest, goesOn := strings.CutPrefix(token, w.prefix)
		switch {
		case first:
		case goesOn:
			token = rest
		default:
			token = " " + token
			if w.cleanup {
				token = tidy.Replace(token)
			}
		}
		b.WriteString(token)
		first = false
	}
	return b.String()
}

// tidy moves punctuation to the word before it.
var tidy = strings.NewReplacer(" .", ".", " ?", "?", " !", "!", " ,", ",", " n't", "n't", " 'm", "'m", " 's", "'s", " 've", "'ve", " 're", "'re")

// words appends the pieces of a text without special tokens.
func (w *WordPiece) words(out []int32, text string) []int32 {
	text = w.normalize(text)
	begin := -1 // of the word that the loop is in
	for i, r := range text {
		space, mark := unicode.IsSpace(r), isMark(r)
		if (space || mark) && begin >= 0 {
			out = w.word(out, text[begin:i])
			begin = -1
		}
		switch {
		case mark:
			out = w.word(out, text[i:i+utf8.RuneLen(r)])
		case !space && begin < 0:
			begin = i
		}
	}
	if begin >= 0 {
		out = w.word(out, text[begin:])
	}
	return out
}

// isMark reports whether a character is a word of its own.
func isMark(r rune) bool {
	return r < utf8.RuneSelf && (unicode.IsPunct(r) || unicode.IsSymbol(r)) || unicode.IsPunct(r)
}

// word appends the pieces of a word.
func (w *WordPiece) word(out []int32, word string) []int32 {
	if utf8.RuneCountInString(word) > w.maxCharacter {
		return append(out, w.unknown)
	}
	before := len(out)
	for begin := 0; begin < len(word); {
		prefix := ""
		if begin > 0 {
			prefix = w.prefix
		}
		end := len(word)
		for ; end > begin; end-- {
			if end < len(word) && !utf8.RuneStart(word[end]) {
				continue
			}
			if id, ok := w.index[prefix+word[begin:end]]; ok {
				out = append(out, id)
				break
			}
		}
		if end == begin {
			return append(out[:before], w.unknown)
		}
		begin = end
	}
	return out
}

// normalize cleans a text as BERT does.
func (w *WordPiece) normalize(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range text {
		switch {
		case w.clean && (r == 0 || r == utf8.RuneError || isControl(r)):
		case w.clean && unicode.IsSpace(r):
			b.WriteByte(' ')
		case w.spaceCJK && isIdeograph(r):
			b.WriteByte(' ')
			b.WriteRune(r)
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	text = b.String()
	if w.stripAccents {
		text = strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Mn, r) {
				return -1
			}
			return r
		}, norm.NFD.String(text))
	}
	if w.lower {
		text = strings.ToLower(strings.ReplaceAll(text, "İ", "i̇"))
	}
	return text
}

// isControl reports whether a character is of a category C, but for the white space among them.
func isControl(r rune) bool {
	return r != '\t' && r != '\n' && r != '\r' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co)
}

// isIdeograph reports whether a character is in one of the blocks of Chinese characters, each of which is a word.
func isIdeograph(r rune) bool {
	return r >= 0x4e00 && r <= 0x9fff || r >= 0x3400 && r <= 0x4dbf || r >= 0x20000 && r <= 0x2a6df || r >= 0x2a700 && r <= 0x2b73f ||
		r >= 0x2b740 && r <= 0x2b81f || r >= 0x2b920 && r <= 0x2ceaf || r >= 0xf900 && r <= 0xfaff || r >= 0x2f800 && r <= 0x2fa1f
}
