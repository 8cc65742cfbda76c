package text

import (
	"container/heap"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/seed-49005b45/tarn/internal/list"
)

// This file holds BPE, byte pair encoding over bytes, the tokenizer of GPT-2, RoBERTa and Llama 3. A text is split into words; each word begins as its bytes, and
// the pair of neighbors that was learned first is merged, again and again.
// Sennrich, Haddow and Birch 2016, Neural machine translation of rare words with subword units; Radford et al. 2019, Language models are unsupervised multitask learners.

// BPE numbers the pieces that texts are made of. Every text has pieces, and they decode to the text. The numbers are those of Hugging Face's tokenizers.
// Several goroutines may use it.
type BPE struct {
	tokens  []string // by number; bytes are written as letters, see byteLetters
	index   map[string]int32
	merges  []pair         // in the order in which they were learned
	rank    map[pair]merge // of each
	added   []addedToken   // in the order of the file
	extra   map[int32]int  // their places in added, by number
	first   [256][]int     // those that begin with a byte
	whole   bool           // a word that is a token is not split: ignore_merges
	prefix  bool           // a blank is put before a text that begins with none
	pattern *splitter      // of words; nil for the text as a whole
	forms   []func(s string) string
	names   []string // of forms
	single  []templatePart
	pair    []templatePart
	spec    processor // of single and pair, as files have it

	mu    sync.RWMutex
	words map[string][]int32 // that were split already
}

// pair is two neighbors.
type pair struct{ left, right int32 }

// merge is when a pair was learned, and what it becomes.
type merge struct{ rank, token int32 }

// addedToken is a token that is found in a text as it is.
type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// byteLetters are the letters that stand for bytes in tokens, as in GPT-2: those that can be seen stand for themselves, and the others for letters from U+0100 on.
var byteLetters, letterBytes = func() (letters [256]rune, bytes map[rune]byte) {
	bytes = map[rune]byte{}
	n := rune(0)
	for b := range 256 {
		r := rune(b)
		if !(b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae) {
			r = 256 + n
			n++
		}
		letters[b], bytes[r] = r, byte(b)
	}
	return letters, bytes
}()

// Patterns of words.
const (
	// GPT2 is the pattern of GPT-2: contractions, words, numbers and other signs, each with the blank before it.
	GPT2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	// Llama3 is the pattern of Llama 3, with numbers of at most three digits.
	Llama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// splitter splits a text into words.
type splitter struct {
	source string
	re     *regexp.Regexp
	spaces int // the group that matches white space, of which the last sign is left to the word after it; 0 for none
}

// lookahead is what patterns of tokenizers end with, which package regexp has not: white space, but for the last sign before a word.
const lookahead = `|\s+(?!\S)|\s+`

// space are the signs of \s in the patterns of tokenizers, which is Unicode's White_Space.
const space = `\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}`

// newSplitter compiles a pattern in the form of Oniguruma, as far as package regexp can do it.
func newSplitter(pattern string) (*splitter, error) {
	s := &splitter{source: pattern}
	rest, ends := strings.CutSuffix(pattern, lookahead)
	var b strings.Builder
	inClass := false
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '\\' && i+1 < len(rest):
			i++
			switch {
			case rest[i] == 's' && inClass:
				b.WriteString(space)
			case rest[i] == 's':
				b.WriteString("[" + space + "]")
			case rest[i] == 'S' && !inClass:
				b.WriteString("[^" + space + "]")
			case rest[i] == 'S':
				return nil, fmt.Errorf("the pattern %s has \\S within brackets, which is not read", list.Quote(pattern))
			default:
				b.WriteString(rest[i-1 : i+1])
			}
		default:
			inClass = c == '[' || inClass && c != ']'
			b.WriteByte(c)
		}
	}
	source := b.String()
	if ends {
		source = "(?:" + source + ")|([" + space + "]+)"
	}
	var err error
	if s.re, err = regexp.Compile(source); err != nil {
		return nil, fmt.Errorf("the pattern %s cannot be read: %w", list.Quote(pattern), err)
	}
	if ends {
		s.spaces = s.re.NumSubexp()
	}
	return s, nil
}

// split calls f for each word and for what is between words.
func (s *splitter) split(text string, f func(word string)) {
	for text != "" {
		at := s.re.FindStringSubmatchIndex(text)
		if at == nil || at[0] == at[1] && at[1] == len(text) {
			f(text)
			return
		}
		if at[0] == at[1] { // a pattern that matches nothing
			_, n := utf8.DecodeRuneInString(text[at[1]:])
			f(text[:at[1]+n])
			text = text[at[1]+n:]
			continue
		}
		end := at[1]
		if k := 2 * s.spaces; k > 0 && at[k] >= 0 && end < len(text) {
			if _, n := utf8.DecodeLastRuneInString(text[at[0]:end]); end-n > at[0] {
				end -= n
			}
		}
		if at[0] > 0 {
			f(text[:at[0]])
		}
		f(text[at[0]:end])
		text = text[end:]
	}
}

// normalForms are the ways to normalize a text before it is split, by their names in files.
var normalForms = map[string]func(string) string{
	"NFC": norm.NFC.String, "NFD": norm.NFD.String, "NFKC": norm.NFKC.String, "NFKD": norm.NFKD.String,
	"Lowercase": func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "İ", "i̇")) },
}

// BPEOptions say how TrainBPE works. The zero value trains in the manner of GPT-2.
type BPEOptions struct {
	Size     int      // tokens at most; 0 means 8192
	MinCount int      // pairs that occur less often are not merged; 0 means 2
	Special  []string // tokens that get the first numbers, such as <|endoftext|>
	Pattern  string   // of words; "" means GPT2
}

// TrainBPE learns the pieces of some texts. Equal to BpeTrainer of Hugging Face's tokenizers with the alphabet of bytes: of pairs that are equally frequent, the one with the
// smaller numbers comes first.
func TrainBPE(texts iter.Seq[string], o BPEOptions) (*BPE, error) {
	if o.Size == 0 {
		o.Size = 8192
	}
	if o.MinCount == 0 {
		o.MinCount = 2
	}
	if o.Pattern == "" {
		o.Pattern = GPT2
	}
	switch {
	case texts == nil:
		return nil, errors.New("text: TrainBPE: the texts are nil")
	case o.MinCount < 1:
		return nil, fmt.Errorf("text: TrainBPE: MinCount is %d and should be positive", o.MinCount)
	case o.Size < 256+len(o.Special) || o.Size > maxVocabulary:
		return nil, fmt.Errorf("text: TrainBPE: a size of %d: want from %d, for all bytes and special tokens, to %d", o.Size, 256+len(o.Special), maxVocabulary)
	}
	t := &BPE{index: map[string]int32{}, rank: map[pair]merge{}}
	var err error
	if t.pattern, err = newSplitter(o.Pattern); err != nil {
		return nil, fmt.Errorf("text: TrainBPE: %w", err)
	}
	for _, s := range o.Special {
		if s == "" || t.index[s] != 0 || len(t.tokens) > 0 && t.tokens[0] == s {
			return nil, fmt.Errorf("text: TrainBPE: the special token %s is empty, or there twice", list.Quote(s))
		}
		t.added = append(t.added, addedToken{ID: t.add(s), Content: s, Special: true})
	}
	letters := byteLetters
	slices.Sort(letters[:])
	for _, r := range letters {
		if _, known := t.index[string(r)]; known {
			return nil, fmt.Errorf("text: TrainBPE: the special token %q is the name of a byte", r)
		}
		t.add(string(r))
	}
	t.learn(t.count(texts), o.Size, int64(o.MinCount))
	if err := t.finish(); err != nil {
		return nil, fmt.Errorf("text: TrainBPE: %w", err)
	}
	return t, nil
}

// add gives a token the next number.
func (t *BPE) add(token string) int32 {
	if id, known := t.index[token]; known {
		return id
	}
	id := int32(len(t.tokens))
	t.tokens = append(t.tokens, token)
	t.index[token] = id
	return id
}

// counted is a word of the texts that are learned from.
type counted struct {
	tokens []int32
	count  int64
}

// count splits texts into words, and counts those.
func (t *BPE) count(texts iter.Seq[string]) []*counted {
	words := map[string]int64{}
	for text := range texts {
		t.pattern.split(text, func(word string) { words[word]++ })
	}
	var all []*counted
	for _, word := range slices.Sorted(func(yield func(string) bool) {
		for w := range words {
			if !yield(w) {
				return
			}
		}
	}) {
		c := &counted{count: words[word]}
		for i := range len(word) {
			c.tokens = append(c.tokens, t.index[string(byteLetters[word[i]])])
		}
		all = append(all, c)
	}
	return all
}

// candidate is a pair that may be merged, with the number of times that it occurred when it was put into the queue.
type candidate struct {
	pair
	count int64
}

type candidates []candidate

func (c candidates) Len() int      { return len(c) }
func (c candidates) Swap(i, k int) { c[i], c[k] = c[k], c[i] }
func (c candidates) Less(i, k int) bool {
	a, b := c[i], c[k]
	switch {
	case a.count != b.count:
		return a.count > b.count
	case a.left != b.left:
		return a.left < b.left
	}
	return a.right < b.right
}
func (c *candidates) Push(x any) { *c = append(*c, x.(candidate)) }
func (c *candidates) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

// learn merges the most frequent pair until there are as many tokens as may be.
func (t *BPE) learn(words []*counted, size int, least int64) {
	counts, where := map[pair]int64{}, map[pair]map[int]bool{}
	see := func(p pair, word int) {
		if where[p] == nil {
			where[p] = map[int]bool{}
		}
		where[p][word] = true
	}
	for i, w := range words {
		for k := 0; k+1 < len(w.tokens); k++ {
			p := pair{w.tokens[k], w.tokens[k+1]}
			counts[p] += w.count
			see(p, i)
		}
	}
	queue := make(candidates, 0, len(counts))
	for p, n := range counts {
		queue = append(queue, candidate{p, n})
	}
	heap.Init(&queue)
	for len(t.tokens) < size && queue.Len() > 0 {
		top := heap.Pop(&queue).(candidate)
		if n := counts[top.pair]; n != top.count {
			if n > 0 {
				heap.Push(&queue, candidate{top.pair, n})
			}
			continue
		}
		if top.count < least {
			break
		}
		if _, twice := t.rank[top.pair]; twice {
			continue
		}
		token := t.add(t.tokens[top.left] + t.tokens[top.right])
		t.rank[top.pair] = merge{int32(len(t.merges)), token}
		t.merges = append(t.merges, top.pair)
		risen := map[pair]bool{}
		for i := range where[top.pair] {
			w := words[i]
			change := func(p pair, by int64) {
				counts[p] += by * w.count
				if by > 0 {
					risen[p] = true
					see(p, i)
				}
			}
			for k := 0; k+1 < len(w.tokens); k++ {
				if w.tokens[k] != top.left || w.tokens[k+1] != top.right {
					continue
				}
				if k > 0 {
					change(pair{w.tokens[k-1], top.left}, -1)
					change(pair{w.tokens[k-1], token}, 1)
				}
				w.tokens[k] = token
				w.tokens = slices.Delete(w.tokens, k+1, k+2)
				if k+1 < len(w.tokens) {
					change(pair{top.right, w.tokens[k+1]}, -1)
					change(pair{token, w.tokens[k+1]}, 1)
				}
			}
		}
		delete(where, top.pair)
		for p := range risen {
			if n := counts[p]; n > 0 {
				heap.Push(&queue, candidate{p, n})
			}
		}
	}
}

// finish makes what is looked up, and checks it.
func (t *BPE) finish() error {
	t.extra, t.words = map[int32]int{}, map[string][]int32{}
	for i, a := range t.added {
		switch {
		case a.Content == "":
			return errors.New("an added token is empty")
		case a.ID < 0 || int(a.ID) >= len(t.tokens) || t.tokens[a.ID] != a.Content:
			return fmt.Errorf("the added token %s has the number %d, which is that of another", list.Quote(a.Content), a.ID)
		}
		if _, twice := t.extra[a.ID]; twice {
			return fmt.Errorf("the added token %s is there twice", list.Quote(a.Content))
		}
		t.extra[a.ID] = i
		t.first[a.Content[0]] = append(t.first[a.Content[0]], i)
	}
	if t.single == nil {
		t.single, t.pair = []templatePart{{text: 1}}, []templatePart{{text: 1}, {text: 2, kind: 1}}
	}
	return nil
}

// Len returns the number of tokens, one more than the largest number.
func (t *BPE) Len() int { return len(t.tokens) }

// ID returns the number of a token, and whether there is one. A blank is written as Ġ in tokens, and a new line as Ċ; see Decode.
func (t *BPE) ID(token string) (int32, bool) {
	id, ok := t.index[token]
	return id, ok
}

// Token returns the token of a number as files have it, and "" for a number out of range.
func (t *BPE) Token(id int32) string {
	if id < 0 || int(id) >= len(t.tokens) {
		return ""
	}
	return t.tokens[id]
}

// Pieces returns the numbers of a text's pieces, without tokens around it. A special token in the text is that token. What is not UTF-8 is taken byte by byte.
func (t *BPE) Pieces(text string) []int32 {
	var out []int32
	t.extract(text, false, func(text string, token int32) {
		if token >= 0 {
			out = append(out, token)
			return
		}
		for _, form := range t.forms {
			text = form(text)
		}
		t.extract(text, true, func(text string, token int32) {
			if token >= 0 {
				out = append(out, token)
				return
			}
			if t.prefix && !strings.HasPrefix(text, " ") {
				text = " " + text
			}
			if t.pattern == nil {
				out = t.word(out, text)
				return
			}
			t.pattern.split(text, func(word string) { out = t.word(out, word) })
		})
	})
	return out
}

// extract finds the added tokens of a text, those that are looked for after it was normalized or before, and calls f for each and for what is between them.
func (t *BPE) extract(text string, normalized bool, f func(text string, token int32)) {
	from := 0 // of what is between tokens
	for at := 0; at < len(text); {
		var best *addedToken
		for _, i := range t.first[text[at]] {
			if a := &t.added[i]; a.Normalized == normalized && (best == nil || len(a.Content) > len(best.Content)) && strings.HasPrefix(text[at:], a.Content) {
				best = a
			}
		}
		if best == nil {
			at++
			continue
		}
		begin, end := at, at+len(best.Content)
		if best.SingleWord {
			before, _ := utf8.DecodeLastRuneInString(text[:begin])
			after, _ := utf8.DecodeRuneInString(text[end:])
			if begin > 0 && isWordSign(before) || end < len(text) && isWordSign(after) {
				at = end
				continue
			}
		}
		if best.LStrip {
			begin = max(from, len(strings.TrimRightFunc(text[:begin], unicode.IsSpace)))
		}
		if best.RStrip {
			end = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
		}
		if begin > from {
			f(text[from:begin], -1)
		}
		f("", best.ID)
		from, at = end, end
	}
	if from < len(text) {
		f(text[from:], -1)
	}
}

// isWordSign reports whether a sign can be within a word, as \w of regular expressions.
func isWordSign(r rune) bool {
	return r == '_' || unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc)
}

// The words that are remembered.
const (
	mostWords   = 1 << 16
	longestWord = 64 // bytes
)

// word appends the pieces of a word.
func (t *BPE) word(out []int32, word string) []int32 {
	if len(word) <= longestWord {
		t.mu.RLock()
		pieces, known := t.words[word]
		t.mu.RUnlock()
		if known {
			return append(out, pieces...)
		}
	}
	pieces := t.split(word)
	if len(word) <= longestWord {
		t.mu.Lock()
		if len(t.words) < mostWords {
			t.words[strings.Clone(word)] = pieces
		}
		t.mu.Unlock()
	}
	return append(out, pieces...)
}

// place is a pair at a place of a word that can be merged.
type place struct {
	merge
	at   int32
	pair pair
}

type places []place

func (p places) Len() int      { return len(p) }
func (p places) Swap(i, k int) { p[i], p[k] = p[k], p[i] }
func (p places) Less(i, k int) bool {
	return p[i].rank < p[k].rank || p[i].rank == p[k].rank && p[i].at < p[k].at
}
func (p *places) Push(x any) { *p = append(*p, x.(place)) }
func (p *places) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}

// split returns the pieces of a word, in time n log n for n bytes.
func (t *BPE) split(word string) []int32 {
	var letters strings.Builder
	for i := range len(word) {
		letters.WriteRune(byteLetters[word[i]])
	}
	if t.whole {
		if id, known := t.index[letters.String()]; known {
			return []int32{id}
		}
	}
	var tokens []int32
	for _, r := range letters.String() {
		if id, known := t.index[string(r)]; known { // bytes that the vocabulary does not have are dropped, as in tokenizers
			tokens = append(tokens, id)
		}
	}
	n := int32(len(tokens))
	next, last := make([]int32, n), make([]int32, n)
	for i := range n {
		next[i], last[i] = i+1, i-1
	}
	var queue places
	see := func(i int32) {
		if i < 0 || next[i] >= n {
			return
		}
		p := pair{tokens[i], tokens[next[i]]}
		if m, ok := t.rank[p]; ok {
			heap.Push(&queue, place{m, i, p})
		}
	}
	for i := range n {
		see(i)
	}
	for queue.Len() > 0 {
		p := heap.Pop(&queue).(place)
		i := p.at
		if tokens[i] < 0 || next[i] >= n || tokens[i] != p.pair.left || tokens[next[i]] != p.pair.right {
			continue // it was merged meanwhile
		}
		gone := next[i]
		tokens[i], tokens[gone], next[i] = p.token, -1, next[gone]
		if next[i] < n {
			last[next[i]] = i
		}
		see(last[i])
		see(i)
	}
	return slices.DeleteFunc(tokens, func(id int32) bool { return id < 0 })
}

// Encode returns the numbers of a text's pieces with the special tokens around it, at most limit of them: further pieces are cut off at the end.
// 0 means no limit.
func (t *BPE) Encode(text string, limit int) []int32 {
	tokens, _ := fill(t.single, limit, t.Pieces(text), nil)
	return tokens
}

// EncodePair returns the numbers of two texts' pieces with the special tokens around them, and for each the number of its segment. If they are more
// than the limit, pieces are cut off at the end of the longer text. 0 means no limit.
func (t *BPE) EncodePair(a, b string, limit int) (tokens, segments []int32) {
	return fill(t.pair, limit, t.Pieces(a), t.Pieces(b))
}

// Decode returns the text of the numbers without special tokens. Bytes that are no UTF-8 become the replacement character.
func (t *BPE) Decode(tokens ...int32) string {
	var b []byte
	for _, id := range tokens {
		token := t.Token(id)
		if i, ok := t.extra[id]; ok && t.added[i].Special {
			continue
		}
		before := len(b)
		for _, r := range token {
			letter, ok := letterBytes[r]
			if !ok { // an added token, which is as it is
				b = append(b[:before], token...)
				break
			}
			b = append(b, letter)
		}
	}
	return lossy(b)
}

// lossy returns bytes as text, with a replacement character for each longest beginning of a character that does not go on. Unicode 15.0, section 3.9, as in Rust.
func lossy(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var s strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			for n < len(b) && n < 3 && begins(b[:n+1]) {
				n++
			}
		}
		s.WriteRune(r)
		b = b[n:]
	}
	return s.String()
}

// begins reports whether some character begins with the bytes.
func begins(b []byte) bool {
	for _, fillers := range []string{"\x80\x80\x80", "\xbf\xbf\xbf", "\x90\x80\x80"} {
		for n := 1; n <= 3; n++ {
			if r, size := utf8.DecodeRune(append(slices.Clone(b), fillers[:n]...)); r != utf8.RuneError && size == len(b)+n {
				return true
			}
		}
	}
	return false
}
