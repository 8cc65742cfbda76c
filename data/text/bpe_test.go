package text_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-49005b45/tarn/data/opticks"
	"github.com/seed-49005b45/tarn/data/text"
)

// bpeGoldens is what Hugging Face's tokenizers make of texts: see testdata/bpe.py.
type bpeGoldens struct {
	Corpus []string
	Cases  []struct {
		Name      string
		Tokenizer json.RawMessage
		Train     *struct {
			Size, Min int
			Special   []string
		}
		Encodings []struct {
			Text, Decoded  string
			Plain, Special []int32
		}
		Pair struct{ IDs, Types []int32 }
	}
}

func readGoldens(t testing.TB) (g bpeGoldens) {
	t.Helper()
	content, err := os.ReadFile("testdata/bpe.json")
	if err == nil {
		err = json.Unmarshal(content, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestBPE compares reading, training, encoding, decoding and writing with those of tokenizers.
func TestBPE(t *testing.T) {
	g := readGoldens(t)
	for _, c := range g.Cases {
		read, err := text.ReadBPE(bytes.NewReader(c.Tokenizer))
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		path := filepath.Join(t.TempDir(), "tokenizer.json")
		if err := read.Save(path); err != nil {
			t.Fatal(err)
		}
		again, err := text.LoadBPE(path)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		all := []*text.BPE{read, again}
		if c.Train != nil {
			trained, err := text.TrainBPE(slices.Values(g.Corpus), text.BPEOptions{Size: c.Train.Size, MinCount: c.Train.Min, Special: c.Train.Special})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, trained)
			var got, want map[string]any
			var b bytes.Buffer
			if err := trained.Write(&b); err != nil {
				t.Fatal(err)
			}
			json.Unmarshal(b.Bytes(), &got)
			json.Unmarshal(c.Tokenizer, &want)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: trained, the file is\n%v\nwant\n%v", c.Name, got, want)
			}
		}
		for k, b := range all {
			for _, e := range c.Encodings {
				if got := b.Pieces(e.Text); !slices.Equal(got, e.Plain) {
					t.Errorf("%s %d: %q is %v, want %v", c.Name, k, e.Text, got, e.Plain)
				}
				if got := b.Encode(e.Text, 0); !slices.Equal(got, e.Special) {
					t.Errorf("%s %d: %q with special tokens is %v, want %v", c.Name, k, e.Text, got, e.Special)
				}
				if got := b.Decode(e.Special...); got != e.Decoded {
					t.Errorf("%s %d: %v is %q, want %q", c.Name, k, e.Special, got, e.Decoded)
				}
			}
			ids, types := b.EncodePair("The Rays", "of light 12", 0)
			if k < 2 && !slices.Equal(ids, c.Pair.IDs) {
				t.Errorf("%s: a pair is %v, want %v", c.Name, ids, c.Pair.IDs)
			}
			if k < 2 && !slices.Equal(types, c.Pair.Types) {
				t.Errorf("%s: the segments of a pair are %v, want %v", c.Name, types, c.Pair.Types)
			}
			if n := len(b.Encode("The Rays of Light are many", 3)); n > 3 {
				t.Errorf("%s: %d tokens with a limit of 3", c.Name, n)
			}
			if id, ok := b.ID("Ġ"); !ok || b.Token(id) != "Ġ" || b.Token(-1) != "" || b.Token(int32(b.Len())) != "" {
				t.Errorf("%s: tokens and numbers do not fit", c.Name)
			}
		}
	}
}

// TestBPEDecodes expects any bytes but for what is no UTF-8 to come back, and a long text in a moment.
func TestBPEDecodes(t *testing.T) {
	b, err := text.TrainBPE(slices.Values([]string{opticks.Text()[:100_000]}), text.BPEOptions{Size: 1000, Pattern: text.Llama3})
	if err != nil || b.Len() != 1000 {
		t.Fatal(err)
	}
	all := opticks.Text()
	pieces := b.Pieces(all)
	if b.Decode(pieces...) != all || len(pieces) > len(all)/2 {
		t.Errorf("%d bytes are %d pieces", len(all), len(pieces))
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if !slices.Equal(b.Pieces(all[:50_000]), b.Pieces(all[:50_000])) {
				t.Error("two goroutines disturb each other")
			}
		})
	}
	wg.Wait()
	long := strings.Repeat("ab", 200_000)
	if b.Decode(b.Pieces(long)...) != long {
		t.Error("a long word does not come back")
	}
	for bad, want := range map[string]string{"a\xffb": "a\ufffdb", "\xe4\xbd": "\ufffd", "\xf0\x9f\x99x": "\ufffdx", "\xc0\x80": "\ufffd\ufffd", "\xed\xa0\x80": "\ufffd\ufffd\ufffd"} {
		if got := b.Decode(b.Pieces(bad)...); got != want {
			t.Errorf("%q becomes %q, want %q", bad, got, want)
		}
	}
}

// TestBPEMistakes changes a file in ways that are refused.
func TestBPEMistakes(t *testing.T) {
	whole := string(readGoldens(t).Cases[2].Tokenizer)
	for name, c := range map[string]struct{ from, to, want string }{
		"JSON":          {`{"version"`, `{version`, "broken JSON"},
		"UTF-8":         {`"version"`, "\"\xff\"", "not UTF-8"},
		"model":         {`"type":"BPE"`, `"type":"Unigram"`, `the model is "Unigram"`},
		"fallback":      {`"byte_fallback":false`, `"byte_fallback":true`, "byte_fallback"},
		"suffix":        {`"end_of_word_suffix":null`, `"end_of_word_suffix":"</w>"`, "end_of_word_suffix"},
		"dropout":       {`"dropout":null`, `"dropout":0.1`, "dropout"},
		"number":        {`"<|end|>":0`, `"<|end|>":7`, "has the numbers 7 and 0"},
		"twice":         {`"!":2`, `"!":3`, "have the number 3"},
		"large":         {`"!":2`, `"!":2000000000`, "has the number 2000000000"},
		"merge":         {`"merges":[[`, `"merges":[["\u0120","no"],[`, `merge 0: the token "no" is not in the vocabulary`},
		"merges":        {`"merges":[[`, `"merges":["abc",[`, "a blank between"},
		"merge of what": {`"merges":[[`, `"merges":[3,[`, "want two tokens"},
		"normalizer":    {`"normalizer":null`, `"normalizer":{"type":"Precompiled"}`, `the normalizer "Precompiled"`},
		"nested":        {`"normalizer":null`, `"normalizer":{"type":"Sequence","normalizers":[{"type":"Sequence"}]}`, "within another"},
		"pre-tokenizer": {`"type":"Split"`, `"type":"Punctuation"`, "the pre-tokenizer is neither"},
		"behavior":      {`"Isolated"`, `"Removed"`, "the pre-tokenizer is neither"},
		"pattern":       {`\\s+(?!\\S)|\\s+`, `(?<=a)b`, "cannot be read"},
		"class":         {`[^\\r\\n\\p{L}\\p{N}]`, `[\\S]`, "within brackets"},
		"decoder":       {`"decoder":{"type":"ByteLevel"`, `"decoder":{"type":"BPEDecoder"`, "the decoder is not ByteLevel"},
		"processor":     {`"type":"TemplateProcessing"`, `"type":"Other"`, `the post-processor "Other"`},
		"template":      {`"ids":[1]`, `"ids":[9999]`, "the token 9999"},
		"added":         {`"content":"<extra>"`, `"content":""`, "an added token is empty"},
		"added twice":   {`"id":361,"content":"word"`, `"id":360,"content":"<extra>"`, "is there twice"},
	} {
		if !strings.Contains(whole, c.from) {
			t.Errorf("%s: the file has no %s", name, c.from)
			continue
		}
		if _, err := text.ReadBPE(strings.NewReader(strings.Replace(whole, c.from, c.to, 1))); err == nil || !strings.HasPrefix(err.Error(), "text: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	some := slices.Values([]string{"a"})
	for name, c := range map[string]struct {
		f    func() error
		want string
	}{
		"file":  {func() error { _, err := text.LoadBPE(filepath.Join(t.TempDir(), "none.json")); return err }, "none.json"},
		"nil":   {func() error { _, err := text.TrainBPE(nil, text.BPEOptions{}); return err }, "the texts are nil"},
		"size":  {func() error { _, err := text.TrainBPE(some, text.BPEOptions{Size: 100}); return err }, "a size of 100"},
		"count": {func() error { _, err := text.TrainBPE(some, text.BPEOptions{MinCount: -1}); return err }, "MinCount"},
		"special": {func() error {
			_, err := text.TrainBPE(some, text.BPEOptions{Special: []string{"<a>", "<a>"}})
			return err
		}, "there twice"},
		"byte":    {func() error { _, err := text.TrainBPE(some, text.BPEOptions{Special: []string{"a"}}); return err }, "the name of a byte"},
		"pattern": {func() error { _, err := text.TrainBPE(some, text.BPEOptions{Pattern: "("}); return err }, "cannot be read"},
	} {
		if err := c.f(); err == nil || !strings.HasPrefix(err.Error(), "text: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func BenchmarkBPE(b *testing.B) {
	t, err := text.TrainBPE(slices.Values([]string{opticks.Text()}), text.BPEOptions{Size: 4000})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(opticks.Text())))
	for b.Loop() {
		t.Pieces(opticks.Text())
	}
}
