package bench

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPatterns expects each word of the patterns by which scripts choose tests to be the name of some: a test that gets another name would else no longer be run, and
// nobody would notice.
func TestPatterns(t *testing.T) {
	root := filepath.Join("..", "..")
	tests := map[string][]string{} // by package
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz)\w+)\(`)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		dir, _ := filepath.Rel(root, filepath.Dir(name))
		for _, m := range declared.FindAllSubmatch(text, -1) {
			tests[dir] = append(tests[dir], string(m[1]))
			tests[""] = append(tests[""], string(m[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	check := func(script, dir, pattern string) {
		for _, word := range strings.Split(pattern, "|") {
			word, _, _ = strings.Cut(word, "/")
			p, err := regexp.Compile(word)
			if err != nil {
				t.Errorf("%s: %q: %v", script, word, err)
				continue
			}
			found := false
			for _, name := range tests[dir] {
				found = found || p.MatchString(name)
			}
			if !found {
				t.Errorf("%s chooses tests by the word %q, which is in the name of none of the package %q", script, word, dir)
			}
		}
	}
	for _, script := range []struct {
		name, pattern string
		words         int // of the patterns, at least
	}{
		{"internal/bench/gpu.sh", `(?m)^\t\t'(?P<package>\w+) (?P<words>[^']+)'$`, 10},
		{".ci/run", `-(?:run|skip) (?:'(?P<words>[^']+)'|(?P<words>[\w^$]+))`, 20},
	} {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(script.name)))
		if err != nil {
			t.Fatal(err)
		}
		p := regexp.MustCompile(script.pattern)
		words := 0
		for _, m := range p.FindAllStringSubmatch(string(text), -1) {
			dir, pattern := "", ""
			for i, name := range p.SubexpNames() {
				switch {
				case name == "package" && m[i] == "root":
					dir = "."
				case name == "package":
					dir = m[i]
				case name == "words":
					pattern += m[i]
				}
			}
			words += strings.Count(pattern, "|") + 1
			check(script.name, dir, pattern)
		}
		if words < script.words {
			t.Errorf("%s has %d words to choose tests by; the pattern that finds them no longer fits", script.name, words)
		}
	}
}
