package text_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/data/text"
)

func TestCharacters(t *testing.T) {
	c, err := text.NewCharacters("hällo, hällo")
	if err != nil {
		t.Fatal(err)
	}
	if c.String() != " ,hloä" || c.Len() != 6 {
		t.Errorf("the characters are %q", c)
	}
	tokens, err := c.Encode("hol ä")
	if err != nil || !slices.Equal(tokens, []int32{2, 4, 3, 0, 5}) || c.Decode(tokens...) != "hol ä" {
		t.Errorf("%v %v", tokens, err)
	}
	again, err := text.NewCharacters(c.String())
	if err != nil || again.String() != c.String() {
		t.Errorf("%q %v", again, err)
	}
	if _, err := c.Encode("ho!"); err == nil || !strings.Contains(err.Error(), `the character '!' at byte 2`) {
		t.Error(err)
	}
	if got := c.Decode(-1, 6, 2); got != "��h" {
		t.Errorf("%q", got)
	}
	if _, err := text.NewCharacters("a\xff"); err == nil {
		t.Error("a text that is not UTF-8 is taken")
	}
}

func TestWindows(t *testing.T) {
	set, err := text.Windows([]int32{0, 1, 2, 3, 4, 5, 6, 7}, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	for b, err := range set.Batches(9, data.Options{}).All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if got := b.Tensor("text").Floats(); !slices.Equal(got, []float64{0, 1, 2, 2, 3, 4, 4, 5, 6}) {
			t.Errorf("text %v", got)
		}
		if got := b.Tensor("next").Floats(); !slices.Equal(got, []float64{1, 2, 3, 3, 4, 5, 5, 6, 7}) {
			t.Errorf("next %v", got)
		}
	}
	for _, c := range [][2]int{{8, 1}, {0, 1}, {3, 0}} {
		if _, err := text.Windows(make([]int32, 8), c[0], c[1]); err == nil {
			t.Errorf("windows of %d every %d are made of 8 tokens", c[0], c[1])
		}
	}
}
