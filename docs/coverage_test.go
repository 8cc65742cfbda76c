package docs

import (
	"bufio"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// This file writes the page of coverage, which has what users of other libraries look for. The names are those that testdata/names.py found in the libraries.
// What Tarn has comes from its doc comments, which name the twin of an op or a layer; testdata/coverage.txt has what no comment says.

// coveragePage is the page that the test writes.
const coveragePage = "coverage.md"

// answer says what stands for a name of another library.
type answer struct {
	kind answerKind
	text string // the name in Tarn, an expression, or a reason
	line int    // of coverage.txt, if it has the answer
}

type answerKind byte

const (
	missing   answerKind = iota
	has                  // Tarn has it, by the name in text
	oneLine              // text is the expression
	unplanned            // text is the reason
)

// rule is a line of testdata/coverage.txt.
type rule struct {
	pattern string
	answer  answer
	line    int
	first   bool // goes before the doc comments
}

// coverage knows all answers.
type coverage struct {
	names   map[string][]string // by module
	modules []string
	exact   map[string]*rule // of whole names
	bare    map[string]*rule // of names without their module
	globs   []*rule
	twins   map[string]answer // of whole names in doc comments
	bases   map[string]answer // of the same without their module
	api     map[string]bool
	spelled map[string]string // methods of Value, layers and optimizers by their plain names
}

// readNames reads the modules in the order of the file.
func (c *coverage) readNames(t *testing.T) {
	text, err := os.ReadFile("testdata/names.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &c.names); err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^ "([\w.]+)": \[`).FindAllStringSubmatch(string(text), -1) {
		c.modules = append(c.modules, m[1])
	}
	if len(c.modules) != len(c.names) {
		t.Fatalf("the modules of names.json are %q", c.modules)
	}
}

// readRules reads testdata/coverage.txt.
func (c *coverage) readRules(t *testing.T) {
	f, err := os.Open("testdata/coverage.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	kinds := map[string]answerKind{"=": has, ":": oneLine, "!": unplanned}
	c.exact, c.bare = map[string]*rule{}, map[string]*rule{}
	line := 0
	for scan := bufio.NewScanner(f); scan.Scan(); {
		line++
		text := scan.Text()
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		fields := strings.Fields(text)
		first := fields[0] == "~"
		if first {
			fields = fields[1:]
		}
		at := slices.IndexFunc(fields, func(s string) bool { return kinds[s] != missing })
		if at < 1 || at == len(fields)-1 {
			t.Errorf("coverage.txt:%d: want names, one of = : !, and what they stand for", line)
			continue
		}
		a := answer{kinds[fields[at]], strings.Join(fields[at+1:], " "), line}
		for _, pattern := range fields[:at] {
			into := c.exact
			switch r := (&rule{pattern, a, line, first}); {
			case strings.ContainsAny(pattern, "*?["):
				c.globs = append(c.globs, r)
				continue
			case !strings.Contains(pattern, "."):
				into = c.bare
				fallthrough
			default:
				if into[pattern] != nil {
					t.Errorf("coverage.txt:%d: %s is in line %d too", line, pattern, into[pattern].line)
				}
				into[pattern] = r
			}
		}
	}
}

// The forms of a name of another library in a comment. A row of names may follow, as in "torch.nn.functional.conv1d to conv3d".
var (
	twinName  = regexp.MustCompile(`\b(?:torch|jax|optax|scipy|numpy)(?:\.\w+)+`)
	twinRange = regexp.MustCompile(`\b((?:torch|jax)(?:\.\w+)*\.)(\w*?)1d to (?:\w+\.)*\w*?([23])d`)
)

// readTwins reads the doc comments of the module.
func (c *coverage) readTwins(t *testing.T) {
	c.twins, c.bases = map[string]answer{}, map[string]answer{}
	for _, dir := range []string{"", "nn", "optim", "train", "data", "data/table", "minimize", "curvature", "predict", "dist"} {
		files, err := parsed(filepath.Join(root, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			for _, d := range f.Decls {
				for name, doc := range documented(dir, d) {
					c.note(name, doc)
				}
			}
		}
	}
}

// parsed reads the Go files of a directory, without tests; none if there is no such directory.
func parsed(dir string) (files []*ast.File, err error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, err
}

// documented returns the comments of what a declaration exports. A method of a type of package tarn is by itself, one of other packages belongs to its type.
func documented(dir string, d ast.Decl) map[string]string {
	docs := map[string]string{}
	pkg := cmpOr(path.Base(dir), "tarn")
	switch d := d.(type) {
	case *ast.FuncDecl:
		name := pkg + "." + d.Name.Name
		if d.Recv != nil {
			typ := d.Recv.List[0].Type
			if star, ok := typ.(*ast.StarExpr); ok {
				typ = star.X
			}
			of, ok := typ.(*ast.Ident)
			if !ok || !of.IsExported() {
				return nil
			}
			if name = of.Name + "." + d.Name.Name; pkg != "tarn" {
				name = pkg + "." + of.Name
			}
		}
		if d.Name.IsExported() {
			docs[name] = d.Doc.Text()
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					docs[pkg+"."+s.Name.Name] = d.Doc.Text() + s.Doc.Text()
				}
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if n.IsExported() {
						docs[pkg+"."+n.Name] = s.Doc.Text() + s.Comment.Text()
					}
				}
			}
		}
	}
	return docs
}

func cmpOr(base, other string) string {
	if base == "." {
		return other
	}
	return base
}

// note takes the twins from the comment of a name. The name that is spelled as its twin goes before others.
func (c *coverage) note(name, doc string) {
	doc = strings.Join(strings.Fields(doc), " ")
	twins := twinName.FindAllString(doc, -1)
	for _, m := range twinRange.FindAllStringSubmatch(doc, -1) {
		for n := '2'; n <= rune(m[3][0]); n++ {
			twins = append(twins, fmt.Sprintf("%s%s%cd", m[1], m[2], n))
		}
	}
	for _, twin := range twins {
		base := plain(twin)
		same := plain(name) == base
		for into, key := range map[*map[string]answer]string{&c.twins: canonical(twin), &c.bases: base} {
			if old, ok := (*into)[key]; !ok || same && plain(old.text) != base {
				(*into)[key] = answer{kind: has, text: name}
			}
		}
	}
}

// canonical brings the names of a thing in several modules into one.
func canonical(twin string) string {
	for _, m := range [][2]string{{"torch.Tensor.", "torch."}, {"numpy.", "jax.numpy."}, {"scipy.special.", "jax.scipy.special."}} {
		if strings.HasPrefix(twin, m[0]) {
			return m[1] + strings.TrimPrefix(twin, m[0])
		}
	}
	return twin
}

// plain is the last part of a name as all libraries would spell it.
func plain(name string) string {
	name = name[strings.LastIndex(name, ".")+1:]
	name = strings.TrimPrefix(name, "New")
	return strings.ToLower(strings.ReplaceAll(name, "_", ""))
}

// find returns the answer for a name of a module.
func (c *coverage) find(module, name string) answer {
	full := module + "." + name
	last := name[strings.LastIndex(name, ".")+1:]
	exact, bare := c.exact[full], c.bare[last]
	var glob *rule
	for _, r := range c.globs {
		if ok, _ := path.Match(r.pattern, full); ok && (glob == nil || r.first && !glob.first) {
			glob = r
		}
	}
	for _, r := range []*rule{exact, bare, glob} {
		if r != nil && r.first {
			return r.answer
		}
	}
	if a, ok := c.twins[full]; ok {
		if same := "nn." + name; module == "torch.nn" && c.api[same] {
			a.text = same // and not the method of Value
		}
		return a
	}
	for _, r := range []*rule{exact, bare} {
		if r != nil {
			return r.answer
		}
	}
	if name, ok := c.spelled[family(module)+plain(last)]; ok {
		return answer{kind: has, text: name}
	}
	if a, ok := c.bases[plain(last)]; ok && strings.HasPrefix(module, "optax") == strings.HasPrefix(a.text, "optim.") {
		return a
	}
	if glob != nil {
		return glob.answer
	}
	return answer{}
}

// family is the package where the names of a module are looked for.
func family(module string) string {
	switch {
	case module == "torch.nn":
		return "nn."
	case strings.HasPrefix(module, "torch.optim"), strings.HasPrefix(module, "optax"):
		return "optim."
	}
	return "Value."
}

// readAPI reads the names that Tarn exports from the listing in testdata.
func (c *coverage) readAPI(t *testing.T) {
	text, err := fs.ReadFile(os.DirFS(root), "testdata/api.txt")
	if err != nil {
		t.Fatal(err)
	}
	c.api, c.spelled = map[string]bool{}, map[string]string{}
	method := regexp.MustCompile(`^func \((?:\w+ )?\*?(\w+)(?:\[\w+\])?\) (\w+)`)
	other := regexp.MustCompile(`^(?:func|type|const|var) (\w+)`)
	for line := range strings.Lines(string(text)) {
		where, what, _ := strings.Cut(strings.TrimSpace(line), ": ")
		pkg := path.Base(where)
		if m := method.FindStringSubmatch(what); m != nil {
			c.api[m[1]+"."+m[2]] = true
			if m[1] == "Value" && pkg == "tarn" {
				c.spelled["Value."+plain(m[2])] = "Value." + m[2]
			}
		} else if m := other.FindStringSubmatch(what); m != nil {
			c.api[pkg+"."+m[1]] = true
			if strings.HasPrefix(what, "type ") {
				c.spelled[pkg+"."+plain(m[1])] = pkg + "." + m[1]
			}
			if field := regexp.MustCompile(`struct has (\w+)`).FindStringSubmatch(what); field != nil {
				c.api[pkg+"."+m[1]+"."+field[1]] = true
			}
		}
	}
}

// readCoverage reads everything.
func readCoverage(t *testing.T) *coverage {
	c := &coverage{}
	c.readNames(t)
	c.readRules(t)
	c.readTwins(t)
	c.readAPI(t)
	return c
}

// TestCoverage compares the page with what it should be, and every name of Tarn on it with what Tarn exports. With -update it writes the page.
func TestCoverage(t *testing.T) {
	c := readCoverage(t)
	var page strings.Builder
	page.WriteString("# What you look for\n\n" +
		"<!-- Written by go test ./docs -run TestCoverage -update, from the doc comments and testdata/coverage.txt. -->\n\n" +
		"The names of PyTorch, JAX and Optax, and what stands for them in Tarn: a name, one line of Go, or why it is not planned. In the lines `x`, `y` and others are\n" +
		"values (`*tarn.Value`), `g` is a graph, and `n` and others are numbers. A name that is spelled the same in two of the libraries is taken for the same. What a name\n" +
		"does exactly, and how it differs from its twin, its doc comment says.\n\n")
	var sections strings.Builder
	lines := map[string]int{}
	page.WriteString("| module | names | there | one line | not planned |\n| --- | ---: | ---: | ---: | ---: |\n")
	for _, module := range c.modules {
		var counts [unplanned + 1]int
		groups, names := []answer(nil), map[answer][]string{}
		for _, name := range c.names[module] {
			a := c.find(module, name)
			counts[a.kind]++
			switch {
			case a.kind == missing:
				t.Errorf("%s.%s has no answer: name it in the doc comment of its twin, or give it a line in testdata/coverage.txt", module, name)
			case a.kind == has && !c.api[a.text]:
				t.Errorf("%s.%s should be %s, which Tarn does not export", module, name, a.text)
			case a.kind == oneLine:
				code, _, _ := strings.Cut(a.text, " // ")
				lines[code] = a.line
			}
			a.line = 0
			if names[a] == nil {
				groups = append(groups, a)
			}
			names[a] = append(names[a], "`"+name+"`")
		}
		fmt.Fprintf(&page, "| [%s](#%s) | %d | %d | %d | %d |\n", module, strings.ReplaceAll(module, ".", ""), len(c.names[module]), counts[has], counts[oneLine], counts[unplanned])
		fmt.Fprintf(&sections, "\n## %s\n\n| name | in Tarn |\n| --- | --- |\n", module)
		for _, kind := range []answerKind{has, oneLine, unplanned} {
			for _, a := range groups {
				if a.kind != kind {
					continue
				}
				code, note, noted := strings.Cut(a.text, " // ")
				text := "`" + code + "`"
				if noted {
					text += ", " + note
				}
				if kind == unplanned {
					text = "not planned: " + a.text
				}
				fmt.Fprintf(&sections, "| %s | %s |\n", strings.Join(names[a], ", "), text)
			}
		}
	}
	page.WriteString(sections.String())
	c.checkRules(t)
	compileLines(t, lines)
	if *update {
		if err := os.WriteFile(coveragePage, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if old, err := os.ReadFile(coveragePage); err != nil || string(old) != page.String() {
		t.Errorf("%s is not what doc comments and coverage.txt say (%v): write it anew with go test ./docs -run TestCoverage -update", coveragePage, err)
	}
}

// checkRules reports rules for names that no library has.
func (c *coverage) checkRules(t *testing.T) {
	full, bare := map[string]bool{}, map[string]bool{}
	for module, names := range c.names {
		for _, name := range names {
			full[module+"."+name], bare[name[strings.LastIndex(name, ".")+1:]] = true, true
		}
	}
	for known, rules := range map[*map[string]bool]map[string]*rule{&full: c.exact, &bare: c.bare} {
		for name, r := range rules {
			if !(*known)[name] {
				t.Errorf("testdata/coverage.txt:%d: no library has %s", r.line, name)
			}
		}
	}
	for _, r := range c.globs {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(full)), func(name string) bool { ok, _ := path.Match(r.pattern, name); return ok }) {
			t.Errorf("testdata/coverage.txt:%d: no library has a name like %s", r.line, r.pattern)
		}
	}
}

// linesHead declares what the lines of the page are about.
const linesHead = `package main

import (
	"math"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
)

var (
	g                                         *tarn.Graph
	x, y, a, b, c, w, mask, index, target     *tarn.Value
	logits                                    *tarn.Value
	values                                    []*tarn.Value
	n, m, k, i, j                             int
	p, r, lo, hi, eps, alpha, beta            float64
	dtype                                     tarn.DType
)

func main() {}

func use(...any) {}
`

// compileLines compiles all lines, each in a function of its own.
func compileLines(t *testing.T, lines map[string]int) {
	t.Helper()
	if t.Failed() || testing.Short() {
		return // compiling the packages takes a while
	}
	source := strings.Builder{}
	source.WriteString(linesHead)
	for i, line := range slices.Sorted(maps.Keys(lines)) {
		fmt.Fprintf(&source, "\n//line testdata/coverage.txt:%d\nfunc line%d() { use(%s) }\n", lines[line], i, line)
	}
	file := filepath.Join(t.TempDir(), "lines.go")
	if err := os.WriteFile(file, []byte(source.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	goCommand(t, "the lines of coverage.txt", "build", "-gcflags=-e", "-o", os.DevNull, file)
}
