//go:build !amd64 && !arm64

package cpu

// Processors without assembly kernels for vector functions use the plain Go ones.

func fastFunction(Level, kernel) Vec { return nil }

func fastConvert(Level, conversion) Vec { return nil }

func fastRowReduction(Level, reduction) Rows { return nil }

func fastColumnReduction(Level, reduction) Rows { return nil }

func fastRowSquares(Level, DType) Rows { return nil }

func fastSplat(Level, int) Rows { return nil }

func fastTranspose(Level, int) TransposeFunc { return nil }
