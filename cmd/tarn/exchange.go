package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/interop/onnx"
	"github.com/seed-49005b45/tarn/interop/safetensors"
)

// This file holds export and import, which write models in other formats and look at them.

type exportCommand struct {
	Model string `arg:"" help:"Model that tarn fit made, or an ONNX file, of which --to safetensors takes the weights."`
	To    string `required:"" enum:"onnx,safetensors" help:"Format: onnx has what is done to the columns in it, and labels; safetensors has the weights alone."`
	Opset int    `default:"18" help:"Version of ONNX's operators, from 17 to 21."`
	Out   string `short:"o" placeholder:"FILE" help:"File to write; by default the model's name with another ending. - is the standard output."`
	Force bool   `help:"Replace the file if it is there already."`
}

// Run writes the file, once its answers have been compared with those of the model.
func (c *exportCommand) Run(env *environment) error {
	if c.Opset < 17 || c.Opset > 21 {
		return usageError{fmt.Errorf("--opset %d is not one of 17 to 21", c.Opset)}
	}
	out := c.Out
	if out == "" {
		out = strings.TrimSuffix(c.Model, filepath.Ext(c.Model)) + "." + c.To
	}
	if err := free(out, c.Force); err != nil {
		return err
	}
	var contents func(w io.Writer) error
	if c.To == "onnx" {
		m, err := loadModel(c.Model)
		if err != nil {
			return err
		}
		b, err := m.ONNX(c.Opset)
		if err != nil {
			return err
		}
		contents = func(w io.Writer) error { _, err := w.Write(b); return err }
	} else {
		tensors, err := weightsOf(c.Model)
		if err != nil {
			return err
		}
		contents = func(w io.Writer) error { return safetensors.Write(w, tensors, map[string]string{"format": "pt"}) }
	}
	if out == "-" {
		return contents(env.stdout)
	}
	if err := file.Replace(file.Disk, out, contents); err != nil {
		return err
	}
	info, err := os.Stat(out)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stderr, "wrote %s (%s)\n", file.Name(out), size(info.Size()))
	return nil
}

// weightsOf returns the weights in a model's file.
func weightsOf(path string) (map[string]*tarn.Tensor, error) {
	if filepath.Ext(path) != ".onnx" {
		f, err := safetensors.Load(path)
		if err != nil {
			return nil, err
		}
		return f.Tensors, nil
	}
	m, err := onnx.Load(path)
	if err != nil {
		return nil, err
	}
	if len(m.Weights) == 0 {
		return nil, errors.New("the model has no weights")
	}
	tensors := map[string]*tarn.Tensor{}
	for name, p := range m.Weights {
		tensors[name] = p.Tensor()
	}
	return tensors, nil
}

type importCommand struct {
	File   string `arg:"" help:"ONNX file."`
	DryRun bool   `help:"Only look: print inputs, outputs, operators and sizes, and write nothing."`
	Out    string `short:"o" placeholder:"FILE" help:"Write the weights to this safetensors file, under their names; package onnx runs and trains the ONNX file itself."`
	Force  bool   `help:"Replace the file if it is there already."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

// Run tells what a model is. It fails if there are operators that are not supported, all of which it names.
func (c *importCommand) Run(env *environment) error {
	m, err := onnx.Load(c.File)
	if err != nil {
		return err
	}
	size := 0
	for _, p := range m.Weights {
		size += p.Tensor().Size()
	}
	if c.JSON {
		e := json.NewEncoder(env.stdout)
		e.SetIndent("", " ")
		if err := e.Encode(map[string]any{"opset": m.Opset(), "inputs": m.Inputs(), "outputs": m.Outputs(), "operators": m.Operators(), "weights": size, "metadata": m.Metadata()}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(env.stdout, "%s: operator set %d, %d weights in %d tensors\n", file.Name(c.File), m.Opset(), size, len(m.Weights))
		for _, list := range []struct {
			what  string
			infos []onnx.Info
		}{{"input", m.Inputs()}, {"output", m.Outputs()}} {
			for _, in := range list.infos {
				fmt.Fprintf(env.stdout, "%-7s%s  %s %s\n", list.what, in.Name, in.Type, shapeOf(in))
			}
		}
		var parts []string
		operators := m.Operators()
		for _, op := range slices.Sorted(maps.Keys(operators)) {
			parts = append(parts, fmt.Sprintf("%s %d", op, operators[op]))
		}
		fmt.Fprintf(env.stdout, "operators: %s; all are supported\n", strings.Join(parts, ", "))
	}
	if c.Out == "" || c.DryRun {
		return nil
	}
	if err := free(c.Out, c.Force); err != nil {
		return err
	}
	tensors, err := weightsOf(c.File)
	if err != nil {
		return err
	}
	if err := safetensors.Save(c.Out, tensors, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	fmt.Fprintf(env.stderr, "wrote %s\n", file.Name(c.Out))
	return nil
}

// shapeOf prints a shape with the names of free axes.
func shapeOf(in onnx.Info) string {
	if in.Shape == nil {
		return "of any shape"
	}
	var parts []string
	for i, d := range in.Shape {
		switch {
		case d >= 0:
			parts = append(parts, fmt.Sprint(d))
		case in.Names[i] != "":
			parts = append(parts, in.Names[i])
		default:
			parts = append(parts, "?")
		}
	}
	return "[" + strings.Join(parts, " ") + "]"
}
