package tarn_test

import (
	"flag"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// This file keeps the shape of the module: the exported API is listed in testdata/api.txt, so that it changes by decision
// and not by accident, and what a package may import is a table.

var update = flag.Bool("update", false, "write testdata/api.txt anew")

const (
	module  = "github.com/seed-49005b45/tarn"
	apiFile = "testdata/api.txt"
)

// sourcePackage is a package of the module as its files that are no tests, whatever their build constraints.
type sourcePackage struct {
	dir, name string
	files     []*ast.File
}

// path is the import path within the module, "." for the root.
func (p *sourcePackage) path() string { return filepath.ToSlash(p.dir) }

// modulePackages reads all packages of this module; directories with a go.mod belong to another.
func modulePackages(t *testing.T, fset *token.FileSet) []*sourcePackage {
	t.Helper()
	byDir := map[string]*sourcePackage{}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			_, err := os.Stat(filepath.Join(path, "go.mod"))
			if path != "." && (err == nil || name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := filepath.Dir(path)
		if byDir[dir] == nil {
			byDir[dir] = &sourcePackage{dir: dir, name: f.Name.Name}
		}
		byDir[dir].files = append(byDir[dir].files, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var packages []*sourcePackage
	for _, p := range byDir {
		packages = append(packages, p)
	}
	slices.SortFunc(packages, func(a, b *sourcePackage) int { return strings.Compare(a.dir, b.dir) })
	return packages
}

// TestAPI compares the exported API of all public packages with the list in testdata.
func TestAPI(t *testing.T) {
	fset := token.NewFileSet()
	var lines []string
	for _, p := range modulePackages(t, fset) {
		if p.name == "main" || slices.Contains(strings.Split(p.path(), "/"), "internal") {
			continue
		}
		lines = append(lines, exported(fset, p)...)
	}
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.MkdirAll(filepath.Dir(apiFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(apiFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(apiFile)
	if err != nil {
		t.Fatal(err)
	}
	listed := strings.Split(strings.TrimSuffix(strings.ReplaceAll(string(want), "\r\n", "\n"), "\n"), "\n")
	for _, line := range lines {
		if !slices.Contains(listed, line) {
			t.Errorf("not listed: %s", line)
		}
	}
	for _, line := range listed {
		if !slices.Contains(lines, line) {
			t.Errorf("listed and gone: %s", line)
		}
	}
	if t.Failed() {
		t.Logf("if the change is meant, list it: go test -run TestAPI . -update")
	}
}

// TestShapesLines checks that the comment of everything in the root package that gives a value says of what shape.
func TestShapesLines(t *testing.T) {
	fset := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !fn.Name.IsExported() || !givesValue(fn) || everywhere["Graph."+fn.Name.Name] || fn.Name.Name == "Named" {
				continue
			}
			if !strings.Contains(fn.Doc.Text(), "Shapes:") {
				t.Errorf("%v: the comment of %s has no Shapes: line", fset.Position(fn.Pos()), fn.Name.Name)
			}
		}
	}
}

// exported lists a package's exported API, sorted, a line for each thing that a user can name.
func exported(fset *token.FileSet, p *sourcePackage) []string {
	var lines []string
	add := func(parts ...string) {
		line := path.Join("tarn", p.path()) + ": " + strings.Join(parts, " ")
		if !slices.Contains(lines, line) { // files of several platforms say the same
			lines = append(lines, line)
		}
	}
	text := func(node any) string {
		var b strings.Builder
		if err := format.Node(&b, fset, node); err != nil {
			return err.Error()
		}
		return strings.NewReplacer("( ", "(", ", )", ")").Replace(strings.Join(strings.Fields(b.String()), " "))
	}
	for _, f := range p.files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if !d.Name.IsExported() || d.Recv != nil && !ast.IsExported(receiverName(d)) {
					continue
				}
				add(text(&ast.FuncDecl{Recv: d.Recv, Name: d.Name, Type: d.Type}))
			case *ast.GenDecl:
				typ := "" // of a constant that repeats the one above
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.ValueSpec:
						if spec.Type != nil {
							typ = " " + text(spec.Type)
						} else if len(spec.Values) > 0 {
							typ = ""
						}
						for _, name := range spec.Names {
							if name.IsExported() {
								add(d.Tok.String(), name.Name+typ)
							}
						}
					case *ast.TypeSpec:
						if spec.Name.IsExported() {
							addType(add, spec, text)
						}
					}
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// addType lists a type, and each exported field or method that its declaration shows.
func addType(add func(parts ...string), spec *ast.TypeSpec, text func(node any) string) {
	head := "type " + spec.Name.Name
	if spec.TypeParams != nil {
		head = strings.TrimSuffix(strings.Replace(text(&ast.FuncType{Params: &ast.FieldList{}, TypeParams: spec.TypeParams}), "func", head, 1), "()")
	}
	var fields *ast.FieldList
	var kind string
	switch typ := spec.Type.(type) {
	case *ast.StructType:
		fields, kind = typ.Fields, "struct"
	case *ast.InterfaceType:
		fields, kind = typ.Methods, "interface"
	default:
		if spec.Assign.IsValid() {
			head += " ="
		}
		add(head, text(spec.Type))
		return
	}
	add(head, kind)
	for _, field := range fields.List {
		if embedded := text(field.Type); len(field.Names) == 0 && (kind == "interface" || ast.IsExported(embedded[strings.LastIndexAny(embedded, "*.")+1:])) {
			add(head, kind, "embeds", text(field.Type))
		}
		for _, name := range field.Names {
			if name.IsExported() {
				add(head, kind, "has", name.Name, text(field.Type))
			}
		}
	}
}

// mayImport says what packages of this module a package may import, DESIGN's rule that data goes down only: the first
// entry that fits a package counts, and a name that ends in /... stands for all below it. A new package needs an entry.
var mayImport = []struct {
	packages string
	imports  []string
}{
	{"internal/scalar", nil},
	{"internal/rng", nil},
	{"internal/clock", nil},
	{"internal/pool", []string{"internal/clock"}},
	{"internal/order", nil},
	{"internal/dense", []string{"internal/limit"}},
	{"internal/half", nil},
	{"internal/decimal", []string{"internal/list"}},
	{"internal/list", nil},
	{"internal/pattern", nil},
	{"internal/factor", nil},
	{"internal/fft", []string{"internal/cpu"}},
	{"internal/declared", nil},
	{"internal/alloctest", nil},
	{"internal/testgc", nil},
	{"internal/plot", nil},
	{"internal/version", nil},
	{"internal/nightly", nil},
	{"internal/pages", nil},
	{"internal/frames", nil},
	{"internal/limit", []string{"internal/pages"}},
	{"internal/file/...", []string{"internal/file"}},
	{"internal/ir", []string{"internal/half", "internal/pages", "internal/scalar", "internal/rng"}},
	{"internal/ir/op", []string{"internal/ir", "internal/scalar", "internal/cpu"}},
	{"internal/irtest", []string{"internal/ir", "internal/ir/op", "internal/scalar"}},
	{"internal/cpu", []string{"internal/clock", "internal/half", "internal/scalar", "internal/rng"}},
	{"internal/jit", []string{"internal/cpu", "internal/scalar"}},
	{"internal/translate", []string{"internal/ir"}},
	{"internal/pass", []string{"internal/ir", "internal/ir/op", "internal/scalar"}},
	{"internal/lower", []string{"internal/ir", "internal/scalar", "internal/order"}},
	{"internal/plan", []string{"internal/lower", "internal/ir", "internal/order"}},
	{"internal/exec", []string{"internal/..."}},
	{"internal/bench", []string{".", "dist", "nn", "optim", "minimize/...", "data/...", "train/...", "internal/clock", "internal/cpu", "internal/file", "internal/list", "internal/plot", "internal/pool", "internal/version"}},
	{"internal/hlo", []string{"internal/half", "internal/ir", "internal/scalar", "internal/rng"}},
	{"pjrt", []string{".", "internal/exec", "internal/hlo", "internal/ir", "internal/pool"}},
	{".", []string{"internal/..."}},
	{"tarntest", []string{"."}},
	{"nn", []string{"."}},
	{"distributions", []string{"."}},
	{"optim", []string{"."}},
	{"curvature", []string{".", "internal/factor"}},
	{"watch", []string{".", "internal/file"}},
	{"doctor", []string{".", "optim", "watch"}},
	{"doctor/remedy", []string{".", "nn", "optim", "data/...", "train", "watch", "doctor"}},
	{"board", []string{"watch", "internal/file"}},
	{"minimize/...", []string{".", "curvature", "dist", "minimize/...", "internal/decimal", "internal/factor", "internal/limit", "internal/list", "internal/plot"}},
	{"data/...", []string{".", "data/...", "internal/rng", "internal/dense", "internal/decimal", "internal/file", "internal/limit", "internal/list"}},
	{"predict", []string{".", "data", "data/table", "dist"}},
	{"fit", []string{".", "nn", "optim", "minimize", "data", "data/table", "data/images", "data/text", "data/series", "dist", "train", "predict", "interop/onnx", "interop/safetensors", "internal/list", "internal/rng"}},
	{"fit/search", []string{"data/table", "fit", "internal/file"}},
	{"fit/report", []string{"data/table", "fit", "internal/file", "internal/plot"}},
	{"serve", []string{"nn", "data", "data/table", "predict", "interop/npy"}},
	{"dist", []string{"internal/cpu", "internal/pool", "internal/scalar"}},
	{"dist/...", []string{"dist/..."}},
	{"interop/onnx", []string{".", "internal/file", "internal/ir/...", "internal/limit", "internal/scalar", "internal/translate"}}, // it writes graphs as the compiler sees them
	{"interop/...", []string{".", "data/...", "interop/...", "internal/dense", "internal/file", "internal/half", "internal/limit", "internal/list", "internal/pattern"}},
	{"train/...", []string{".", "nn", "optim", "data/...", "dist", "interop/...", "train/...", "watch", "doctor", "internal/file", "internal/list", "internal/plot"}},
	{"cmd/...", []string{".", "predict", "fit/...", "serve", "nn", "optim", "curvature", "minimize/...", "data/...", "interop/...", "train/...", "watch", "doctor/...", "board", "dist/...", "pjrt", "internal/bench", "internal/cpu", "internal/decimal", "internal/file", "internal/limit", "internal/list", "internal/plot", "internal/version", "cmd/..."}},
	{"examples/...", []string{".", "nn", "optim", "curvature", "minimize/...", "data/...", "interop/...", "train/...", "watch", "doctor/...", "predict", "fit", "serve", "dist/..."}},
}

// fits reports whether a pattern stands for a path.
func fits(pattern, path string) bool {
	if below, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == below || strings.HasPrefix(path, below+"/")
	}
	return path == pattern
}

// opensLibraries are the packages that may import purego, with which a program depends on the C library.
var opensLibraries = []string{"dist/mpi", "pjrt"}

// TestImports checks every import of a package of this module against the table.
func TestImports(t *testing.T) {
	fset := token.NewFileSet()
	for _, p := range modulePackages(t, fset) {
		var allowed []string
		known := false
		for _, rule := range mayImport {
			if fits(rule.packages, p.path()) {
				allowed, known = rule.imports, true
				break
			}
		}
		if !known {
			t.Errorf("package %s has no entry in the table of what it may import", p.path())
			continue
		}
		for _, f := range p.files {
			for _, spec := range f.Imports {
				imported, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				if imported == "C" {
					t.Errorf("%v: the module uses no cgo", fset.Position(spec.Pos()))
				}
				if strings.HasPrefix(imported, "github.com/ebitengine/purego") && !slices.Contains(opensLibraries, p.path()) {
					t.Errorf("%v: only %v open libraries of C, so that other programs do not link the C library", fset.Position(spec.Pos()), opensLibraries)
				}
				if imported != module && !strings.HasPrefix(imported, module+"/") {
					continue
				}
				imported = path.Join(".", strings.TrimPrefix(imported, module)) // as in path
				if !slices.ContainsFunc(allowed, func(pattern string) bool { return fits(pattern, imported) }) {
					t.Errorf("%v: package %s imports %s and may import %v only", fset.Position(spec.Pos()), p.path(), imported, allowed)
				}
			}
		}
	}
}
