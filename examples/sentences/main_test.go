package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGolden compares with what sentence-transformers made of the sentences with the same model, by testdata/goldens.py.
func TestGolden(t *testing.T) {
	var goldens struct {
		Sentences  []string
		Embeddings [][]float64
	}
	content, err := os.ReadFile("testdata/goldens.json")
	if err == nil {
		err = json.Unmarshal(content, &goldens)
	}
	if err != nil {
		t.Fatal(err)
	}
	m, err := Load("testdata/model")
	if err != nil {
		t.Fatal(err)
	}
	together, err := m.Encode(goldens.Sentences)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range goldens.Embeddings {
		alone, err := m.Encode(goldens.Sentences[i : i+1])
		if err != nil {
			t.Fatal(err)
		}
		for k, x := range want {
			if a, b := alone.Float(k), together.Float(i*len(want)+k); math.Abs(a-x) > 1e-5 || math.Abs(b-x) > 1e-5 {
				t.Fatalf("%.30q: number %d is %v alone and %v among others, want %v", goldens.Sentences[i], k, a, b, x)
			}
		}
	}
}

func TestRun(t *testing.T) {
	var out strings.Builder
	if err := run(&out, "testdata/model", []string{"A ray.", "a Ray .", "Bread."}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), " 1.000 1.000") || !strings.HasSuffix(out.String(), " 1.000  Bread.\n") {
		t.Errorf("it prints\n%s", out.String())
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "config.json")
	for _, c := range []struct {
		dir, config string
		sentences   []string
		want        string
	}{
		{"testdata/model", "", []string{"one"}, "two sentences"},
		{dir, "", []string{"a", "b"}, "config.json"},
		{dir, "{", []string{"a", "b"}, "JSON"},
		{dir, `{"hidden_act":"relu"}`, []string{"a", "b"}, "not that of a BERT with gelu"},
		{dir, `{"hidden_act":"gelu","num_hidden_layers":1,"num_attention_heads":1,"hidden_size":-4}`, []string{"a", "b"}, "tokenizer.json"},
	} {
		if c.config != "" {
			if err := os.WriteFile(config, []byte(c.config), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := run(&out, c.dir, c.sentences); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.config, err, c.want)
		}
	}
}
