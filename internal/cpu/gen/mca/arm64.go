// The loops of NEON, and Arm's processors that LLVM has models of.

package main

import "regexp"

var arm64 = architecture{
	march:  "aarch64",
	fused:  regexp.MustCompile(`^(fmla|fmls|bfdot)`),
	branch: regexp.MustCompile(`^(?:b|b\.\w+|cbn?z \w+,|tbn?z \w+, #[0-9a-fx]+,)\s+0x([0-9a-f]+)`),
	processors: []processor{
		{name: "Neoverse N1", model: "neoverse-n1", starts: map[string]float64{"NEON": 2}},
		{name: "Neoverse V1", model: "neoverse-v1", starts: map[string]float64{"NEON": 4, "BFDOT": 4}},
		{name: "Neoverse V2", model: "neoverse-v2", starts: map[string]float64{"NEON": 4, "BFDOT": 4}},
	},
	loops: []hot{
		{"f32 tile 7x12, A along K", "gemm32NEONTile7x3", 0, 0, "NEON"},
		{"f32 tile 7x12, A down columns", "gemm32NEONTile7x3", 1, 0, "NEON"},
		{"f32 tile 7x12, any A", "gemm32NEONTile7x3", 2, 0, "NEON"},
		{"f32 tile 6x16, A along K", "gemm32NEONTile6x4", 0, 0, "NEON"},
		{"f32 tile 6x16, A down columns", "gemm32NEONTile6x4", 1, 0, "NEON"},
		{"f32 tile 4x16, A along K", "gemm32NEONTile4x4", 0, 0, "NEON"},
		{"f32 tile 1x16, A along K", "gemm32NEONTile1x4", 0, 0, "NEON"},
		{"bfloat16 tile 6x16, A along K", "gemmBF16NEONTile6x4", 0, 0, "BFDOT"},
		{"bfloat16 tile 6x16, A in panels", "gemmBF16NEONTile6x4", 1, 0, "BFDOT"},
		{"f64 tile 7x6, A along K", "gemm64NEONTile7x3", 0, 0, "NEON"},
		{"f64 tile 7x6, A down columns", "gemm64NEONTile7x3", 1, 0, "NEON"},
		{"f64 tile 7x6, any A", "gemm64NEONTile7x3", 2, 0, "NEON"},
		{"f32 dot products 4x4", "gemm32NEONDot4x4", 0, 0, "NEON"},
		{"f64 dot products 4x4", "gemm64NEONDot4x4", 0, 0, "NEON"},
		{"f32 dot product", "gemm32NEONDot1x1", 0, 0, "NEON"},
		{"f32 sum", "vecAddF32NEON", 0, 4, "NEON"},
		{"f32 exp", "vecExpF32NEON", 0, 4, "NEON"},
		{"f32 log", "vecLogF32NEON", 0, 4, "NEON"},
		{"f32 tanh", "vecTanhF32NEON", 0, 4, "NEON"},
		{"f32 sigmoid", "vecSigmoidF32NEON", 0, 4, "NEON"},
		{"f32 GELU", "vecGELUF32NEON", 0, 4, "NEON"},
		{"f32 GELU's derivative", "vecGELUPrimeF32NEON", 0, 4, "NEON"},
		{"f32 sine", "vecSinF32NEON", 0, 4, "NEON"},
		{"f64 exp", "vecExpF64NEON", 0, 2, "NEON"},
		{"f32 row sum, in f64", "vecRowSumF32NEON", 0, 8, "NEON"},
		{"f32 row maximum", "vecRowMaxF32NEON", 0, 16, "NEON"},
		{"f32 column sum", "vecColumnSumF32NEON", 0, 32, "NEON"},
	},
}
