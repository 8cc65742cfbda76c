package list_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/internal/list"
)

// TestList shows lists of every length within a screen, and no character that a terminal would act on.
func TestList(t *testing.T) {
	many := make([]string, 10000)
	for i := range many {
		many[i] = fmt.Sprint("x", i)
	}
	for _, c := range []struct{ got, want string }{
		{list.Names(nil), ""},
		{list.Names([]string{"a"}), "a"},
		{list.Names([]string{"a", "b c", "", "\x1b[31m"}), `a, b c, "", "\x1b[31m"`},
		{list.Words([]string{"a", "b"}), "a b"},
		{list.Count(0, "row") + list.Count(1, "class") + list.Count(2, "class"), "0 rows1 class2 classes"},
		{list.Names([]string{strings.Repeat("é", 61)}), `"` + strings.Repeat("é", 60) + `" and 2 bytes more`},
		{list.Quote("a\"\n\xff"), `"a\"\n\xff"`},
		{list.Lines([]string{"a", "b"}), "\n\ta\n\tb"},
		{list.Lines(many[:31]), "\n\t" + strings.Join(many[:31], "\n\t")},
		{list.Lines(many[:32]), "\n\t" + strings.Join(many[:30], "\n\t") + "\n\tand 2 more"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	long := list.Names(many)
	shown, rest, _ := strings.Cut(long, " and ")
	n := len(strings.Split(shown, ", "))
	if len(long) > 600 || n < 50 || rest != fmt.Sprintf("%d more", len(many)-n) {
		t.Errorf("%d names of %d are %d bytes: %s", n, len(many), len(long), long)
	}
	wide := slices.Repeat([]string{strings.Repeat("\x1b", 1<<20)}, 1000)
	if got := list.Names(wide); len(got) > 2000 {
		t.Errorf("long names are %d bytes", len(got))
	}
}
