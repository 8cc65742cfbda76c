package text

// The tests compare with what Hugging Face's tokenizers made of odd texts, by testdata/wordpiece.py, and refuse broken files.

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

type wordPieceGolden struct {
	Tokenizer  json.RawMessage
	Cased      bool
	Vocabulary []string
	Texts      []struct {
		Text       string
		IDs, Short []int32
		Decoded    string
	}
	Pairs []struct {
		A, B          string
		IDs, Segments []int32
	}
}

func wordPieceGoldens(t testing.TB) (goldens []wordPieceGolden) {
	content, err := os.ReadFile("testdata/wordpiece.json")
	if err == nil {
		err = json.Unmarshal(content, &goldens)
	}
	if err != nil {
		t.Fatal(err)
	}
	return goldens
}

func TestWordPiece(t *testing.T) {
	for _, g := range wordPieceGoldens(t) {
		dir := t.TempDir()
		vocabulary, tokenizer := filepath.Join(dir, "vocab.txt"), filepath.Join(dir, "tokenizer.json")
		os.WriteFile(vocabulary, []byte(strings.Join(g.Vocabulary, "\r\n")+"\r\n"), 0o600)
		os.WriteFile(tokenizer, g.Tokenizer, 0o600)
		for _, path := range []string{vocabulary, tokenizer} {
			w, err := LoadWordPiece(path, WordPieceOptions{Cased: g.Cased})
			if err != nil {
				t.Fatal(err)
			}
			if w.Len() != len(g.Vocabulary) {
				t.Errorf("%d tokens, want %d", w.Len(), len(g.Vocabulary))
			}
			for i, token := range g.Vocabulary {
				if id, ok := w.ID(token); !ok || int(id) != i || w.Token(id) != token {
					t.Errorf("%q is %d, %v", token, id, ok)
				}
			}
			for _, c := range g.Texts {
				if got := w.Encode(c.Text, 0); !slices.Equal(got, c.IDs) {
					t.Errorf("cased %v: %q becomes %v, want %v", g.Cased, c.Text, got, c.IDs)
				}
				if got := w.Encode(c.Text, 12); !slices.Equal(got, c.Short) {
					t.Errorf("cased %v: %.30q of 12 tokens becomes %v, want %v", g.Cased, c.Text, got, c.Short)
				}
				if got := w.Decode(c.IDs...); got != c.Decoded {
					t.Errorf("cased %v: %v is %q, want %q", g.Cased, c.IDs, got, c.Decoded)
				}
			}
			for _, c := range g.Pairs {
				if ids, segments := w.EncodePair(c.A, c.B, 12); !slices.Equal(ids, c.IDs) || !slices.Equal(segments, c.Segments) {
					t.Errorf("cased %v: %q and %q become %v, %v, want %v, %v", g.Cased, c.A, c.B, ids, segments, c.IDs, c.Segments)
				}
			}
			if got := w.Encode("\xff\xfelight", 0); !slices.Equal(got, w.Encode("light", 0)) {
				t.Errorf("bytes that are not UTF-8 become %v", got)
			}
			if got := w.Encode("light", 1); len(got) != 1 {
				t.Errorf("at most 1 token are %v", got)
			}
			if w.Token(-1) != "" || w.Token(1<<30) != "" || w.Decode(-1, 1<<30) != "" {
				t.Error("numbers out of range have tokens")
			}
		}
	}
}

var brokenWordPieces = []struct{ content, want string }{
	{"", "no [UNK]"},
	{"[UNK]\n[CLS]\n", "no [SEP]"},
	{"[UNK]\n[CLS]\n[SEP]\na\nb\na\n", `"a" twice, at 3 and 5`},
	{"\xff", "not UTF-8"},
	{"{", "broken JSON"},
	{"{}", `the model is "", not WordPiece`},
	{`{"model":{"type":"BPE","vocab":{}}}`, `the model is "BPE"`},
	{`{"model":{"type":"WordPiece","vocab":[]}}`, "broken JSON"},
	{`{"model":{"type":"WordPiece","vocab":{}}}`, "a vocabulary of 0 tokens"},
	{`{"model":{"type":"WordPiece","unk_token":"u","vocab":{"a":0}}}`, `"u", is not in the vocabulary`},
	{`{"model":{"type":"WordPiece","unk_token":"a","vocab":{"a":-1}}}`, `has the number -1`},
	{`{"model":{"type":"WordPiece","unk_token":"a","vocab":{"a":2000000000}}}`, `has the number 2000000000`},
	{`{"model":{"type":"WordPiece","unk_token":"a","vocab":{"a":1e99}}}`, `broken JSON`},
	{`{"model":{"type":"WordPiece","unk_token":"a","vocab":{"a":1,"b":1}}}`, `tokens "a" and "b" have the number 1`},
	{`{"model":{"type":"WordPiece","unk_token":"a","vocab":{"a":1}},"added_tokens":[{"id":2,"content":"a"}]}`, `token "a" has the numbers 1 and 2`},
	{`{"model":{"type":"WordPiece","unk_token":"a","vocab":{"a":1}},"added_tokens":[{"id":2,"content":""}]}`, `an added token is empty`},
	{`{"model":{"type":"WordPiece","unk_token":"a","vocab":{"a":1}},"added_tokens":[{"id":2,"content":"m","lstrip":true}]}`, "such tokens are not read"},
	{`{"model":{"type":"WordPiece","unk_token":"a","vocab":{"a":1}},"normalizer":{"type":"NFC"}}`, `the normalizer "NFC"`},
	{`{"model":{"type":"WordPiece","unk_token":"a","vocab":{"a":1}}}`, "the pre-tokenizer"},
	{`{"model":{"type":"WordPiece","unk_token":"a","vocab":{"a":1}},"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":{"type":"X"}}`, `the post-processor "X"`},
	{`{"model":{"type":"WordPiece","unk_token":"a","vocab":{"a":1}},"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":{"type":"BertProcessing"}}`, `lacks cls or sep`},
	{`{"model":{"type":"WordPiece","unk_token":"a","vocab":{"a":1}},"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":{"type":"BertProcessing","cls":["a",1],"sep":["a",2]}}`, `the token 2 of a vocabulary of 2`},
	{`{"model":{"type":"WordPiece","unk_token":"a","vocab":{"a":1}},"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":{"type":"BertProcessing","cls":["a","x"],"sep":["a",2]}}`, `the number x of a token`},
	{`{"model":{"type":"WordPiece","unk_token":"a","vocab":{"a":1}},"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":{"type":"TemplateProcessing"}}`, `has 0 texts and should have 1`},
	{`{"model":{"type":"WordPiece","unk_token":"a","vocab":{"a":1}},"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"B"}}]}}`, `neither a text nor a token`},
	{`{"model":{"type":"WordPiece","unk_token":"a","vocab":{"a":1}},"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"a"}}],"special_tokens":{"a":{"ids":[7]}}}}`, `the token 7 of a vocabulary of 2`},
}

func TestBrokenWordPiece(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokenizer.json")
	for _, c := range brokenWordPieces {
		os.WriteFile(path, []byte(c.content), 0o600)
		if w, err := LoadWordPiece(path, WordPieceOptions{}); err == nil || !strings.HasPrefix(err.Error(), "text: "+path) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, %v, want an error with %q", c.content, w, err, c.want)
		}
	}
	if _, err := LoadWordPiece(path+"x", WordPieceOptions{}); err == nil {
		t.Error("a missing file is read")
	}
	if _, err := NewWordPiece(nil, WordPieceOptions{}); err == nil || !strings.HasPrefix(err.Error(), "text: ") {
		t.Errorf("no vocabulary: %v", err)
	}
}

func FuzzWordPiece(f *testing.F) {
	for _, c := range brokenWordPieces {
		f.Add([]byte(c.content), "a text")
	}
	for _, g := range wordPieceGoldens(f) {
		f.Add([]byte(g.Tokenizer), g.Texts[4].Text)
	}
	f.Add([]byte("[UNK]\n[CLS]\n[SEP]\na\n##b\n"), "abb [SEP] ab\x00")
	f.Fuzz(func(t *testing.T, content []byte, text string) {
		w, err := readWordPiece(content, WordPieceOptions{})
		if err != nil {
			return
		}
		for _, limit := range []int{0, 1, 5} {
			ids, segments := w.EncodePair(text, text, limit)
			if len(ids) != len(segments) || limit > 0 && len(ids) > limit {
				t.Fatalf("%d numbers and %d segments, with a limit of %d", len(ids), len(segments), limit)
			}
			for _, id := range ids {
				if id < 0 || int(id) >= w.Len() {
					t.Fatalf("the number %d of %d", id, w.Len())
				}
			}
			w.Decode(ids...)
		}
	})
}

func ExampleWordPiece() {
	w, err := NewWordPiece([]string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##break", "##able", "!"}, WordPieceOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	tokens := w.Encode("Unbreakable!", 0)
	fmt.Println(tokens, w.Decode(tokens...))
	// Output: [2 4 5 6 7 3] unbreakable!
}
