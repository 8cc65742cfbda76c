// Command gen writes the assembly kernels of the CPU engine and their Go declarations:
//
//	cd internal/cpu/gen && go run .
//
// It is a module of its own, so that users of Tarn do not download the assembler it is built on. The output depends on
// nothing but this source: a test compares it with the committed files byte for byte.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// file is one generated assembly file, name.s, with the declarations of its functions in name.go.
type file struct {
	name  string
	build func(*build.Context)
}

// files lists what to generate. Each source file of kernels adds its own with register.
var files []file

// register adds a file to generate. The name ends in _amd64, without extension.
func register(name string, build func(*build.Context)) { files = append(files, file{name, build}) }

// generate writes all files into the folder dir and returns their names.
func generate(dir string) ([]string, error) {
	sort.Slice(files, func(i, j int) bool { return files[i].name < files[j].name })
	cfg := printer.Config{Name: "go generate", Pkg: "cpu"}
	var names []string
	for _, f := range files {
		c := build.NewContext()
		c.ConstraintExpr("amd64")
		f.build(c)
		ir, err := c.Result()
		if err == nil {
			err = pass.Compile.Execute(ir)
		}
		if err != nil {
			return nil, fmt.Errorf("gen: %s: %w", f.name, err)
		}
		for _, o := range []struct {
			ext string
			printer.Printer
		}{{".s", printer.NewGoAsm(cfg)}, {".go", printer.NewStubs(cfg)}} {
			text, err := o.Print(ir)
			if err != nil {
				return nil, fmt.Errorf("gen: %s%s: %w", f.name, o.ext, err)
			}
			if err := os.WriteFile(filepath.Join(dir, f.name+o.ext), text, 0o644); err != nil {
				return nil, fmt.Errorf("gen: %w", err)
			}
			names = append(names, f.name+o.ext)
		}
	}
	return names, nil
}

func main() {
	out := flag.String("out", "..", "folder to write to")
	flag.Parse()
	if _, err := generate(*out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
