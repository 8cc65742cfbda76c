// Package declared reads the source of a package: what it exports, and which of that its tests name. With it a test fails
// when something exported has no row in the table that tests its kind.
package declared

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Package is the parsed source of one directory.
type Package struct {
	t     testing.TB
	fset  *token.FileSet
	files []*ast.File // without tests
	tests []*ast.File
}

// Names are exported names, each with the place that declares it.
type Names map[string]token.Position

// Read parses the Go files of a directory. It ends the test if one cannot be parsed.
func Read(t testing.TB, dir string) *Package {
	t.Helper()
	p := &Package{t: t, fset: token.NewFileSet()}
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		f, err := parser.ParseFile(p.fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, "_test.go") {
			p.tests = append(p.tests, f)
		} else {
			p.files = append(p.files, f)
		}
	}
	return p
}

// TypesWith returns the exported types that have a method of that name, of their own or of a struct that they embed.
// Interfaces do not count.
func (p *Package) TypesWith(method string) Names {
	has := map[string]bool{}
	embeds := map[string][]string{}
	types := Names{}
	for _, f := range p.files {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == method && fn.Recv != nil {
				has[baseName(fn.Recv.List[0].Type)] = true
			}
			gen, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range gen.Specs {
				spec, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				if spec.Name.IsExported() {
					types[spec.Name.Name] = p.fset.Position(spec.Pos())
				}
				if s, ok := spec.Type.(*ast.StructType); ok {
					for _, field := range s.Fields.List {
						if len(field.Names) == 0 {
							embeds[spec.Name.Name] = append(embeds[spec.Name.Name], baseName(field.Type))
						}
					}
				}
			}
		}
	}
	var holds func(name string) bool
	holds = func(name string) bool { return has[name] || slices.ContainsFunc(embeds[name], holds) }
	maps.DeleteFunc(types, func(name string, _ token.Position) bool { return !holds(name) })
	return types
}

// FuncsWith returns the exported functions whose type, written as in the source without names, is one of those given: as in
// "func(*tarn.Value, *tarn.Value) *tarn.Value". An empty parameter list stands for any: "func() Layer" matches all functions
// that return a Layer and nothing else.
func (p *Package) FuncsWith(types ...string) Names {
	funcs := Names{}
	for _, f := range p.files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !fn.Name.IsExported() {
				continue
			}
			result := fields(fn.Type.Results)
			if slices.Contains(types, "func("+fields(fn.Type.Params)+") "+result) || slices.Contains(types, "func() "+result) {
				funcs[fn.Name.Name] = p.fset.Position(fn.Pos())
			}
		}
	}
	return funcs
}

// Constructors returns the exported functions NewX that return one of the types, or a pointer to it.
func (p *Package) Constructors(types Names) Names {
	funcs := Names{}
	for _, f := range p.files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "New") || fn.Type.Results == nil || len(fn.Type.Results.List) != 1 {
				continue
			}
			if _, ok := types[baseName(fn.Type.Results.List[0].Type)]; ok {
				funcs[fn.Name.Name] = p.fset.Position(fn.Pos())
			}
		}
	}
	return funcs
}

// Tests returns what the tests name within the variables and functions given, their tables, and within those of the tests'
// own that these name in turn. A type counts as named also by a constructor: NewX names X. It is an error if there is no such
// variable or function.
func (p *Package) Tests(tables ...string) map[string]bool {
	p.t.Helper()
	bodies := map[string][]ast.Node{} // of the variables and functions of the tests
	for _, f := range p.tests {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					bodies[d.Name.Name] = append(bodies[d.Name.Name], d)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if v, ok := spec.(*ast.ValueSpec); ok {
						for _, id := range v.Names {
							bodies[id.Name] = append(bodies[id.Name], v)
						}
					}
				}
			}
		}
	}
	tables = slices.Clone(tables)
	named := map[string]bool{}
	add := func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if ok && !named[id.Name] {
			named[id.Name] = true
			tables = append(tables, id.Name)
			if typ, ok := strings.CutPrefix(id.Name, "New"); ok {
				named[typ] = true
			}
		}
		return true
	}
	for _, table := range tables {
		if bodies[table] == nil {
			p.t.Errorf("the tests have no variable or function %s", table)
		}
	}
	for i := 0; i < len(tables); i++ {
		for _, n := range bodies[tables[i]] {
			ast.Inspect(n, add)
		}
	}
	return named
}

// Check reports each of the declared names that the tables do not have.
func (p *Package) Check(what string, declared Names, tables ...string) {
	p.t.Helper()
	if len(declared) == 0 {
		p.t.Errorf("there is no %s in the package", what)
	}
	named := p.Tests(tables...)
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		if !named[name] {
			p.t.Errorf("%v: the %s %s has no row in %s", declared[name], what, name, strings.Join(tables, ", "))
		}
	}
}

// Without returns the names that are not in the list, each of which must be there.
func (n Names) Without(t testing.TB, names ...string) Names {
	t.Helper()
	rest := maps.Clone(n)
	for _, name := range names {
		if _, ok := n[name]; !ok {
			t.Errorf("%s is left out and does not exist", name)
		}
		delete(rest, name)
	}
	return rest
}

// Join returns the names of both.
func (n Names) Join(m Names) Names {
	all := maps.Clone(n)
	maps.Copy(all, m)
	return all
}

// baseName is X of X, *X, pkg.X and X[T].
func baseName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return baseName(e.X)
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.IndexExpr:
		return baseName(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// fields writes the types of a list, one for each name.
func fields(list *ast.FieldList) string {
	if list == nil {
		return ""
	}
	var all []string
	for _, f := range list.List {
		for range max(1, len(f.Names)) {
			all = append(all, typeText(f.Type))
		}
	}
	return strings.Join(all, ", ")
}

// typeText writes a type made of names, pointers and slices; others are "?".
func typeText(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return "*" + typeText(e.X)
	case *ast.SelectorExpr:
		return typeText(e.X) + "." + e.Sel.Name
	case *ast.ArrayType:
		if e.Len == nil {
			return "[]" + typeText(e.Elt)
		}
	}
	return "?"
}
