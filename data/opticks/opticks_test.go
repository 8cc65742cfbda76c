package opticks_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed-49005b45/tarn/data/opticks"
)

func TestText(t *testing.T) {
	text := opticks.Text()
	if !strings.HasPrefix(text, "OPTICKS:") || !strings.HasSuffix(text, "before they corrupted\nthemselves.") || !utf8.ValidString(text) || strings.Contains(text, "\r") {
		t.Errorf("the text begins %.20q, ends %q", text, text[len(text)-40:])
	}
	if !strings.Contains(text, "are not Light bodies") && !strings.Contains(text, "Rays of Light") {
		t.Error("the text is not about light")
	}
}
