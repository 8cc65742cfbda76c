package tarn_test

import (
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file tests that a graph says what it is for, and that a layer's report stays quiet where an op's has been made.

func TestTraining(t *testing.T) {
	g := tarn.NewGraph()
	if !g.Training() {
		t.Error("a new graph is not for training")
	}
	if g.Eval(); g.Training() {
		t.Error("a graph is for training after Eval")
	}
	if g.Train(); !g.Training() {
		t.Error("a graph is not for training after Train")
	}
}

func TestFailIsQuietOnPoison(t *testing.T) {
	g := tarn.NewGraph()
	bad := g.Input("x", tarn.F32, 2).Add(g.Input("y", tarn.F32, 3))
	g.Fail("Layer", []*tarn.Value{bad}, "has a bad operand")
	if err := g.Err(); err == nil || strings.Contains(err.Error(), "Layer") {
		t.Errorf("error %v, want the first mistake alone", err)
	}
}
