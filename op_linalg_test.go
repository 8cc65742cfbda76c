package tarn_test

import "github.com/seed-49005b45/tarn"

// The cases of the matrix products.

var _ = register(
	pairwise("MatMul", (*tarn.Value).MatMul, between(-2, 2), between(-2, 2)).of(numbers...).with(
		[][]int{{2, 3}, {3, 4}}, [][]int{{1, 1}, {1, 1}}, [][]int{{2, 0}, {0, 3}}, [][]int{{0, 2}, {2, 3}},
		[][]int{{2, 2, 3}, {3, 2}}, [][]int{{2, 3}, {2, 3, 2}}, [][]int{{2, 1, 3}, {2, 3, 2}}),
	pairwise("MatMulT", (*tarn.Value).MatMulT, between(-2, 2), between(-2, 2)).of(numbers...).with(
		[][]int{{2, 3}, {4, 3}}, [][]int{{2, 2, 3}, {2, 3}}, [][]int{{2, 1, 3}, {2, 2, 3}}),
	pairwise("TMatMul", (*tarn.Value).TMatMul, between(-2, 2), between(-2, 2)).of(numbers...).with(
		[][]int{{3, 2}, {3, 4}}, [][]int{{2, 3, 2}, {3, 2}}, [][]int{{2, 3, 1}, {2, 3, 2}}),
)
