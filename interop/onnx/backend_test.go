package onnx

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn"
	"google.golang.org/protobuf/encoding/protowire"
)

// This file runs the cases of ONNX's own backend tests: models of one operator with their answers.

var backend = flag.String("backend", "", "folder that holds all cases of ONNX's backend tests, as testdata/backend.py writes them")

// testCase is the files of one case.
type testCase map[string][]byte

func readFolder(dir string) (testCase, error) {
	files := testCase{}
	for _, pattern := range []string{"model.onnx", "test_data_set_0/*.pb"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			files[filepath.Base(name)] = b
		}
	}
	return files, nil
}

// readValue reads an input or output of a case, whose type the model tells.
func readValue(b []byte, info *valueInfo) (*value, error) {
	bytesOf := func(b []byte, number protowire.Number) (all [][]byte, err error) {
		err = each(b, func(x field) error {
			if x.number == number {
				all = append(all, x.bytes)
			}
			return nil
		})
		return all, err
	}
	switch {
	case info.optional:
		for number, inner := range map[protowire.Number]valueInfo{3: {}, 5: {sequence: true}} { // OptionalProto
			all, err := bytesOf(b, number)
			if err == nil && len(all) == 1 {
				return readValue(all[0], &inner)
			}
		}
		return &value{none: true}, nil
	case info.sequence:
		all, err := bytesOf(b, 3) // SequenceProto.tensor_values
		if err != nil {
			return nil, err
		}
		out := &value{elem: info.elem, isList: true}
		for _, one := range all {
			v, err := readValue(one, &valueInfo{})
			if err != nil {
				return nil, err
			}
			out.list = append(out.list, v)
		}
		return out, nil
	}
	t, err := parseTensor(field{number: 1, kind: protowire.BytesType, bytes: b})
	if err != nil {
		return nil, err
	}
	return t.read("")
}

// run runs a case, and says what is wrong.
func (files testCase) run() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("PANIC: %v", r)
		}
	}()
	model := files["model.onnx"]
	m, err := Read(strings.NewReader(string(model)), int64(len(model)))
	if err != nil {
		return err
	}
	given := map[string]*value{}
	for i, in := range m.inputs {
		b, ok := files[fmt.Sprintf("input_%d.pb", i)]
		if !ok {
			continue
		}
		v, err := readValue(b, in)
		if err != nil {
			return err
		}
		given[in.name] = v
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := m.run(ctx, given)
	if err != nil {
		return err
	}
	for i, info := range m.proto.graph.outputs {
		b, ok := files[fmt.Sprintf("output_%d.pb", i)]
		if !ok {
			continue
		}
		want, err := readValue(b, info)
		if err != nil {
			return err
		}
		if random(m) {
			if !slices.Equal(out[i].sizes(), want.sizes()) {
				return fmt.Errorf("the output %q has the shape %v, want %v", info.name, out[i].sizes(), want.sizes())
			}
			continue
		}
		if diff := differ(out[i], want); diff != "" {
			return fmt.Errorf("the output %q: %s", info.name, diff)
		}
	}
	return nil
}

func random(m *Model) bool {
	for op := range m.Operators() {
		if op == "Bernoulli" || strings.HasPrefix(op, "Random") {
			return true
		}
	}
	return m.Operators()["Dropout"] > 0 && strings.Contains(m.proto.graph.name, "training") && !strings.Contains(m.proto.graph.name, "zero")
}

// differ says how an output differs from the wanted one, within the tolerance of the backend tests.
func differ(got, want *value) string {
	switch {
	case want.isList || got.isList:
		if got.isList != want.isList || len(got.list) != len(want.list) {
			return fmt.Sprintf("a sequence of %d, want %d", len(got.list), len(want.list))
		}
		for i := range want.list {
			if d := differ(got.list[i], want.list[i]); d != "" {
				return fmt.Sprintf("element %d: %s", i, d)
			}
		}
		return ""
	case want.none:
		if !got.none {
			return "is there"
		}
		return ""
	case want.elem == typeString:
		if !slices.Equal(got.strings, want.strings) || !slices.Equal(got.shape, want.shape) {
			return fmt.Sprintf("%q %v, want %q %v", got.strings, got.shape, want.strings, want.shape)
		}
		return ""
	case got.t == nil:
		return "is no tensor"
	case got.t.DType() != want.t.DType() || !slices.Equal(got.t.Shape(), want.t.Shape()):
		return fmt.Sprintf("%v %v, want %v %v", got.t.DType(), got.t.Shape(), want.t.DType(), want.t.Shape())
	}
	bad, first := 0, ""
	for i := range want.t.Size() {
		x, y := got.t.Float(i), want.t.Float(i)
		tolerance := 1e-7 + 1e-3*math.Abs(y)
		switch want.elem {
		case typeFloat16:
			x = round(typeFloat16, x, false)
			tolerance = 1e-5 + 4e-3*math.Abs(y)
		case typeBfloat16:
			x = round(typeBfloat16, x, false)
			tolerance = 1e-5 + 2e-2*math.Abs(y)
		case typeFloat, typeDouble:
		default:
			tolerance = 0
			if want.t.DType() == tarn.I64 && got.t.I64()[i] != want.t.I64()[i] {
				x, y = 0, 1
			}
		}
		if !(math.Abs(x-y) <= tolerance || x == y || x != x && y != y) {
			if bad++; bad == 1 {
				first = fmt.Sprintf("%v, want %v at %d", x, y, i)
			}
		}
	}
	if bad > 0 {
		return fmt.Sprintf("%d of %d differ: %s", bad, want.t.Size(), first)
	}
	return ""
}

// TestBackendAll runs all cases of a folder, and tells how many are right.
func TestBackendAll(t *testing.T) {
	if *backend == "" {
		t.Skip("-backend names no folder")
	}
	dirs, err := filepath.Glob(filepath.Join(*backend, "test_*"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("there are no cases in %s: %v", *backend, err)
	}
	right, all, core, coreRight, refused := 0, 0, 0, 0, 0
	for _, dir := range dirs {
		name := filepath.Base(dir)
		files, err := readFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		err = files.run()
		all++
		isCore := !strings.Contains(name, "_expanded")
		if isCore {
			core++
		}
		if err == nil {
			right++
			if isCore {
				coreRight++
			}
			continue
		}
		var unsupported *UnsupportedError
		if errors.As(err, &unsupported) {
			refused++
		}
		text := err.Error()
		t.Logf("%s: %s", name, text[:min(len(text), 300)])
	}
	t.Logf("right: %d of %d, of the cases that are no expansions %d of %d; refused by name: %d", right, all, coreRight, core, refused)
	if coreRight*10 < core*9 {
		t.Errorf("fewer than 90 %% of the cases are right")
	}
}

// archive reads a tar.gz into cases by folder.
func archive(r io.Reader) (map[string]testCase, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	all := map[string]testCase{}
	for tr := tar.NewReader(z); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(tr)
		if err != nil {
			return nil, err
		}
		dir, name := path.Split(h.Name)
		dir = path.Clean(dir)
		if all[dir] == nil {
			all[dir] = testCase{}
		}
		all[dir][name] = b
	}
}
