// Package mgh lists the test problems of More, Garbow and Hillstrom (1981, Testing unconstrained optimization software, ACM
// TOMS 7) and others of that kind that gonum has as functions, with their starts.
package mgh

import (
	"slices"

	"gonum.org/v1/gonum/optimize/functions"
)

// Function is f with its gradient.
type Function interface {
	Func(x []float64) float64
	Grad(dst, x []float64)
}

// Problem is a function with its start and the values of its minima, the global one first.
type Problem struct {
	Name   string
	F      Function
	Start  []float64
	Minima []float64
}

// Problems are in the order of their names. Starts are those of the paper, minima those of the paper and of gonum.
var Problems = []Problem{
	{"Beale", functions.Beale{}, []float64{1, 1}, []float64{0}},
	{"BiggsEXP2", functions.BiggsEXP2{}, []float64{1, 2}, []float64{0}},
	{"BiggsEXP3", functions.BiggsEXP3{}, []float64{1, 2, 1}, []float64{0}},
	{"BiggsEXP4", functions.BiggsEXP4{}, []float64{1, 2, 1, 1}, []float64{0}},
	{"BiggsEXP5", functions.BiggsEXP5{}, []float64{1, 2, 1, 1, 1}, []float64{0, 0.005655649925499929}},
	{"BiggsEXP6", functions.BiggsEXP6{}, []float64{1, 2, 1, 1, 1, 1}, []float64{0, 0.005655649925499929, 0.30636677262479}},
	{"Box3D", functions.Box3D{}, []float64{0, 10, 20}, []float64{0}},
	{"BrownAndDennis", functions.BrownAndDennis{}, []float64{25, 5, -5, -1}, []float64{85822.20162635627}},
	{"BrownBadlyScaled", functions.BrownBadlyScaled{}, []float64{1, 1}, []float64{0}},
	{"ExtendedPowellSingular4", functions.ExtendedPowellSingular{}, []float64{3, -1, 0, 3}, []float64{0}},
	{"ExtendedPowellSingular8", functions.ExtendedPowellSingular{}, repeat([]float64{3, -1, 0, 3}, 2), []float64{0}},
	{"Rosenbrock", functions.ExtendedRosenbrock{}, []float64{-1.2, 1}, []float64{0}},
	{"ExtendedRosenbrock10", functions.ExtendedRosenbrock{}, repeat([]float64{-1.2, 1}, 5), []float64{0, 3.986623854}},
	{"ExtendedRosenbrock50", functions.ExtendedRosenbrock{}, repeat([]float64{-1.2, 1}, 25), []float64{0, 3.986623854}},
	{"Gaussian", functions.Gaussian{}, []float64{0.4, 1, 0}, []float64{1.12793276961912e-08}},
	{"GulfResearchAndDevelopment", functions.GulfResearchAndDevelopment{}, []float64{5, 2.5, 0.15}, []float64{0, 0.038, 0.0380}},
	{"HelicalValley", functions.HelicalValley{}, []float64{-1, 0, 0}, []float64{0}},
	{"PenaltyI4", functions.PenaltyI{}, []float64{1, 2, 3, 4}, []float64{2.2499775008999372e-05}},
	{"PenaltyI10", functions.PenaltyI{}, []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, []float64{7.0876515197265e-05}},
	{"PenaltyII4", functions.PenaltyII{}, repeat([]float64{0.5}, 4), []float64{9.3762931e-6}},
	{"PenaltyII10", functions.PenaltyII{}, repeat([]float64{0.5}, 10), []float64{2.9366053745674594e-4}},
	{"PowellBadlyScaled", functions.PowellBadlyScaled{}, []float64{0, 1}, []float64{0}},
	{"Trigonometric", functions.Trigonometric{}, repeat([]float64{0.1}, 10), []float64{0, 2.79506e-5}},
	{"VariablyDimensioned", functions.VariablyDimensioned{}, []float64{0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0}, []float64{0}},
	{"Watson6", functions.Watson{}, make([]float64, 6), []float64{0.0022876700535523838}},
	{"Watson9", functions.Watson{}, make([]float64, 9), []float64{1.3997601382171185e-06}},
	{"Watson12", functions.Watson{}, make([]float64, 12), []float64{4.722381164e-10}},
	{"Wood", functions.Wood{}, []float64{-3, -1, -3, -1}, []float64{0}},
}

func repeat(x []float64, times int) []float64 { return slices.Repeat(x, times) }
