// Package docs tests the documentation: Go in it compiles, programs run and print what the page says, and links lead somewhere.
package docs

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the programs print into the pages")

// root is the directory of the module.
const root = ".."

// block is a fenced block of a page.
type block struct {
	page     string
	language string
	source   string // the HTML comment on the line before the fence: the file that the block quotes, or dump: and a stage
	text     string
	line     int // of its first line
	from, to int // where its text stands in the page
}

func (b block) place() string { return fmt.Sprintf("%s:%d", filepath.Base(b.page), b.line) }

// isProgram reports whether the block is a whole program.
func (b block) isProgram() bool { return b.language == "go" && strings.HasPrefix(b.text, "package ") }

// fences matches a fenced block, with the comment before it if there is one.
var fences = regexp.MustCompile("(?m)(?:^<!-- (.+) -->\n)?^```(\\w*)\n((?s:.*?))^```$")

// pages reads the documentation.
func pages(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	top, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, name := range append(names, top...) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	return texts
}

// blocks returns the fenced blocks of a page.
func blocks(page, text string) (all []block) {
	for _, m := range fences.FindAllStringSubmatchIndex(text, -1) {
		b := block{page: page, language: text[m[4]:m[5]], text: text[m[6]:m[7]], from: m[6], to: m[7]}
		if m[2] >= 0 {
			b.source = text[m[2]:m[3]]
		}
		b.line = strings.Count(text[:b.from], "\n") + 1
		all = append(all, b)
	}
	return all
}

// TestPrograms runs every whole program and the commands of a page, in the order of the page and in one directory, so that each finds the files of those
// before it. What a program prints stands in the output block after it. Numbers with a fraction may differ, as they do between levels of the processor.
//
// Commands are the lines that begin with $ in blocks called console. What they print, to either output, stands below each; any number there may differ.
// They are tarn, and cat, which with > makes a file of the lines below it.
func TestPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds and runs programs")
	}
	for _, page := range slices.Sorted(maps.Keys(pages(t))) {
		t.Run(filepath.Base(page), func(t *testing.T) {
			text := pages(t)[page]
			dir := t.TempDir()
			copyTables(t, dir)
			all := blocks(page, text)
			grown := 0 // by how much the page has become longer
			compare := func(b block, got string, may *regexp.Regexp) {
				plain := func(s string) string { return strings.Join(strings.Fields(may.ReplaceAllString(s, " # ")), " ") }
				switch {
				case *update:
					text = text[:b.from+grown] + got + text[b.to+grown:]
					grown += len(got) - (b.to - b.from)
				case plain(got) != plain(b.text):
					t.Errorf("%s: it prints\n%sand the page says\n%sIf that is meant: go test ./docs -update", b.place(), got, b.text)
				}
			}
			for i, b := range all {
				switch {
				case b.language == "console":
					compare(b, console(t, b, dir), numbers)
				case !b.isProgram():
				case i+1 == len(all) || all[i+1].language != "output":
					t.Errorf("%s: the program has no output block", b.place())
				default:
					compare(all[i+1], run(t, b, dir), fractions)
				}
			}
			if *update && text != pages(t)[page] {
				if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// copyTables copies the tables that the pages use into dir.
func copyTables(t *testing.T, dir string) {
	t.Helper()
	for _, pattern := range []string{"*.csv", filepath.Join(root, "examples", "*", "testdata", "*.csv")} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			table, err := os.ReadFile(name)
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, filepath.Base(name)), table, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// console runs the commands of a block and returns them with what they print.
func console(t *testing.T, b block, dir string) string {
	t.Helper()
	var out strings.Builder
	for command := range strings.SplitSeq(strings.TrimPrefix(b.text, "$ "), "\n$ ") {
		line, below, _ := strings.Cut(strings.TrimSuffix(command, "\n"), "\n")
		fmt.Fprintf(&out, "$ %s\n", line)
		switch args := strings.Fields(line); {
		case args[0] == "tarn":
			cmd := exec.Command(theCommand(t), args[1:]...)
			cmd.Dir = dir
			printed, err := cmd.CombinedOutput()
			if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
				t.Fatalf("%s: %v", b.place(), err)
			}
			for line := range strings.Lines(string(printed)) {
				fmt.Fprintln(&out, strings.TrimRight(line, " \r\n"))
			}
		case len(args) == 3 && args[0] == "cat" && args[1] == ">":
			if err := os.WriteFile(filepath.Join(dir, args[2]), []byte(below+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&out, below)
		default:
			t.Fatalf("%s: the test does not know the command %q", b.place(), line)
		}
	}
	return out.String()
}

var built string // the command, once it is built

// theCommand builds tarn and returns where it is.
func theCommand(t *testing.T) string {
	t.Helper()
	if built == "" {
		binary := filepath.Join(commands, "tarn.exe")
		goCommand(t, "cmd/tarn", "build", stripped, "-o", binary, "./cmd/tarn")
		built = binary
	}
	return built
}

var commands string // the folder of built commands

func TestMain(m *testing.M) {
	var err error
	if commands, err = os.MkdirTemp("", "tarn-docs"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(commands)
	os.Exit(code)
}

var numbers = regexp.MustCompile(`[0-9a-f]{64}|-?\d+(\.\d+)?(e[-+]\d+)?`)

var fractions = regexp.MustCompile(` *-?\d+\.\d+(e[-+]\d+)?`)

// run builds a program within the module, runs it in a directory and returns what it prints.
func run(t *testing.T, b block, dir string) string {
	t.Helper()
	formatted, err := format.Source([]byte(b.text))
	if err != nil {
		t.Fatalf("%s: %v", b.place(), err)
	}
	if string(formatted) != b.text {
		t.Errorf("%s: the program is not formatted by gofmt", b.place())
	}
	build := t.TempDir()
	source, binary := filepath.Join(build, "main.go"), filepath.Join(build, "main.exe")
	if err := os.WriteFile(source, []byte(b.text), 0o644); err != nil {
		t.Fatal(err)
	}
	goCommand(t, b.place(), "build", stripped, "-o", binary, source)
	cmd := exec.Command(binary)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: the program fails: %v\n%s", b.place(), err, out)
	}
	return string(out)
}

// stripped lets the linker leave out what debuggers read, which takes as long as the rest.
const stripped = "-ldflags=-s -w"

// goCommand runs the go command in the module.
func goCommand(t *testing.T, place string, args ...string) {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: go %s: %v\n%s", place, args[0], err, out)
	}
}

// TestQuotes looks for every block that quotes a file in that file.
func TestQuotes(t *testing.T) {
	for page, text := range pages(t) {
		for _, b := range blocks(page, text) {
			if b.source == "" || strings.HasPrefix(b.source, dumpOf) {
				continue
			}
			file, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(b.source)))
			if err != nil {
				t.Errorf("%s: %v", b.place(), err)
				continue
			}
			if !strings.Contains(unindented(string(file)), "\n"+unindented(b.text)) {
				t.Errorf("%s: the block is not in %s", b.place(), b.source)
			}
		}
	}
}

// dumpOf begins the comment before a block that shows what the compiler prints at a stage.
const dumpOf = "dump:"

// TestDumps compares the blocks that show the compiler at work with what it prints for examples/linreg.
func TestDumps(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds and runs a program")
	}
	stages := dump(t)
	for page, text := range pages(t) {
		grown := 0
		for _, b := range blocks(page, text) {
			stage, ok := strings.CutPrefix(b.source, dumpOf)
			if !ok {
				continue
			}
			got := stages[stage]
			switch {
			case got == "":
				t.Errorf("%s: the compiler has no stage %q", b.place(), stage)
			case *update:
				text = text[:b.from+grown] + got + text[b.to+grown:]
				grown += len(got) - (b.to - b.from)
			case got != b.text:
				t.Errorf("%s: the compiler prints\n%sand the page says\n%sIf that is meant: go test ./docs -update", b.place(), got, b.text)
			}
		}
		if *update {
			if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// dump returns what the compiler prints at each stage.
func dump(t *testing.T) map[string]string {
	t.Helper()
	cmd := exec.Command("go", "run", "./examples/linreg")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "TARN_DEBUG=dump")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("examples/linreg: %v\n%s", err, stderr.Bytes())
	}
	stages := map[string]string{}
	stage := ""
	for line := range strings.Lines(stderr.String()) {
		if name, ok := strings.CutPrefix(line, "--- "); ok {
			stage = strings.TrimSpace(name)
			stages[stage] = "" // a pass may run twice: the last time counts
			continue
		}
		stages[stage] += line
	}
	return stages
}

// unindented is a text without the blanks that begin its lines.
func unindented(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(strings.TrimLeft(line, " \t"))
	}
	return out.String()
}

// TestFragments compiles the fragments of Go, and the code in the last column of tables that are headed Tarn, among the declarations
// of testdata/preamble.go.
func TestFragments(t *testing.T) {
	type fragment struct{ place, text string }
	var fragments []fragment
	for _, page := range slices.Sorted(maps.Keys(pages(t))) {
		text := pages(t)[page]
		for _, b := range blocks(page, text) {
			if b.language == "go" && b.source == "" && !b.isProgram() {
				fragments = append(fragments, fragment{b.place(), b.text})
			}
		}
		inTable, number := false, 0
		for line := range strings.Lines(text) {
			number++
			cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
			last := strings.TrimSpace(cells[len(cells)-1])
			switch {
			case !strings.HasPrefix(line, "|"):
				inTable = false
			case last == "Tarn":
				inTable = true
			case inTable:
				for _, m := range inlineCode.FindAllStringSubmatch(last, -1) {
					fragments = append(fragments, fragment{fmt.Sprintf("%s:%d", filepath.Base(page), number), m[1]})
				}
			}
		}
	}
	if len(fragments) < 20 {
		t.Fatalf("the pages have %d fragments, which are too few to be all", len(fragments))
	}

	preamble, err := os.ReadFile(filepath.Join("testdata", "preamble.go"))
	if err != nil {
		t.Fatal(err)
	}
	source := bytes.NewBuffer(preamble)
	for i, f := range fragments {
		body, err := statements(f.text)
		if err != nil {
			t.Errorf("%s: %q: %v", f.place, f.text, err)
			continue
		}
		fmt.Fprintf(source, "\nfunc fragment%d() error {\n//line %s\n%s\nreturn nil\n}\n", i, f.place, body)
	}
	if t.Failed() || testing.Short() {
		return // compiling the packages takes a while
	}
	file := filepath.Join(t.TempDir(), "fragments.go")
	if err := os.WriteFile(file, source.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	goCommand(t, "fragments", "build", "-o", os.DevNull, file)
}

var inlineCode = regexp.MustCompile("`([^`]+)`")

// statements makes a fragment the body of a function: an expression is an argument, and variables count as used.
func statements(fragment string) (string, error) {
	if _, err := parser.ParseExpr(fragment); err == nil {
		return "use(" + fragment + ")", nil
	}
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc _() {\n"+fragment+"\n}", parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	if len(file.Decls) != 1 {
		return "", errors.New("a fragment is statements")
	}
	body := fragment
	for _, s := range file.Decls[0].(*ast.FuncDecl).Body.List {
		if a, ok := s.(*ast.AssignStmt); ok && a.Tok == token.DEFINE {
			for _, name := range a.Lhs {
				if name := name.(*ast.Ident).Name; name != "_" {
					body += "\n_ = " + name
				}
			}
		}
	}
	return body, nil
}

// links matches the target of a link or a picture.
var links = regexp.MustCompile(`\]\(([^)#\s]+)(#[^)\s]*)?\)`)

// TestLinks follows the links between files.
func TestLinks(t *testing.T) {
	for page, text := range pages(t) {
		for _, m := range links.FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), filepath.FromSlash(m[1]))); err != nil {
				t.Errorf("%s: a link leads to %s, which is not there", filepath.Base(page), m[1])
			}
		}
	}
}
