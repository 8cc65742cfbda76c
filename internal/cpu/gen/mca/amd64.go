// The loops of AVX2 and AVX-512, and Intel's and AMD's processors that LLVM has models of.

package main

import (
	"regexp"
	"strings"
)

// Units of loops.
const (
	avx2   = "AVX2"
	avx512 = "AVX-512"
	pairs  = "VDPBF16PS"
)

var amd64 = architecture{
	march:  "x86-64",
	fused:  regexp.MustCompile(`^(vfn?m(add|sub)|vdpbf16ps)`),
	branch: regexp.MustCompile(`^j\w+ 0x([0-9a-f]+)`),
	processors: []processor{
		{name: "Sapphire Rapids", model: "sapphirerapids", starts: map[string]float64{avx2: 2, avx512: 2, pairs: 0.5}, instead: sapphire},
		{name: "Alder Lake P", model: "alderlake", starts: map[string]float64{avx2: 2}},
		{name: "Skylake", model: "skylake", starts: map[string]float64{avx2: 2}},
		{name: "Zen 4", model: "znver4", starts: map[string]float64{avx2: 2, avx512: 1}, instead: loadedBroadcast},
	},
	loops: []hot{
		{"AVX-512, f32 tile 14x32", "gemm32AVX512Tile14x2", 0, 0, avx512},
		{"AVX-512, f32 tile 6x64", "gemm32AVX512Tile6x4", 0, 0, avx512},
		{"AVX-512, f32 tile 7x32", "gemm32AVX512Tile7x2", 0, 0, avx512},
		{"AVX-512, f32 tile 1x64", "gemm32AVX512Tile1x4", 0, 0, avx512},
		{"AVX-512, f32 dot products 4x4", "gemm32AVX512Dot4x4", 0, 0, avx512},
		{"AVX-512, f64 tile 14x16", "gemm64AVX512Tile14x2", 0, 0, avx512},
		{"AVX-512, f64 tile 6x32", "gemm64AVX512Tile6x4", 0, 0, avx512},
		{"VDPBF16PS, tile 14x32", "gemm32BF16Tile14x2", 0, 0, pairs},
		{"VDPBF16PS, tile 6x64", "gemm32BF16Tile6x4", 0, 0, pairs},
		{"AVX2, f32 tile 6x16", "gemm32AVX2Tile6x2", 0, 0, avx2},
		{"AVX2, f32 tile 4x16", "gemm32AVX2Tile4x2", 0, 0, avx2},
		{"AVX2, f32 tile 2x32", "gemm32AVX2Tile2x4", 0, 0, avx2},
		{"AVX2, f32 tile 1x32", "gemm32AVX2Tile1x4", 0, 0, avx2},
		{"AVX2, f32 dot products 3x3", "gemm32AVX2Dot3x3", 0, 0, avx2},
		{"AVX2, f64 tile 6x8", "gemm64AVX2Tile6x2", 0, 0, avx2},
		{"AVX-512, f32 exp", "vecExpF32AVX512", 0, 16, avx512},
		{"AVX-512, f32 tanh", "vecTanhF32AVX512", 0, 16, avx512},
		{"AVX-512, f32 sigmoid", "vecSigmoidF32AVX512", 0, 16, avx512},
		{"AVX-512, f32 GELU", "vecGELUF32AVX512", 0, 16, avx512},
		{"AVX2, f32 exp", "vecExpF32AVX2", 0, 8, avx2},
		{"AVX2, f32 tanh", "vecTanhF32AVX2", 0, 8, avx2},
		{"AVX2, f32 sigmoid", "vecSigmoidF32AVX2", 0, 8, avx2},
		{"AVX2, f32 GELU", "vecGELUF32AVX2", 0, 8, avx2},
	},
	limits: true,
	tiles:  []string{"amxTiles2x2", "amxTiles2x1", "amxTiles1x2", "amxTiles1x1"},
}

// sapphire corrects the model of Sapphire Rapids, which starts one multiplication or multiply-add of 512 bits a cycle. Those Xeons have a second unit at port 5. So sums
// stand in, which start at the same two ports, and take 3 cycles instead of 4.
func sapphire(instruction string) string {
	return multiplication.ReplaceAllString(instruction, "vadd$1 $2$3, $3")
}

var multiplication = regexp.MustCompile(`^v(?:fn?m(?:add|sub)\d+|mul)(p[sd]) +(.*, )%zmm\d+, (%zmm\d+)$`)

// loadedBroadcast stands in for broadcasts from memory, to which the model gives the units of multiply-adds. They are loads and nothing else.
func loadedBroadcast(instruction string) string {
	if name, operands, _ := strings.Cut(instruction, " "); strings.HasPrefix(name, "vbroadcasts") && !strings.HasPrefix(operands, "%") {
		return "vmovups " + operands
	}
	return instruction
}
