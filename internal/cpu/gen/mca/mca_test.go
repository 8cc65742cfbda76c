package main

import (
	"math"
	"testing"
)

// The counts are those of the figures by hand: 16 cycles a product, 52 from sum to sum, and 45 from a load to its use.
func TestTileCycles(t *testing.T) {
	const a, lower, b, right = "tileloadd (%rax,%r8), %tmm4", "tileloadd (%r13,%r8), %tmm5", "tileloadd (%rcx,%r9), %tmm6", "tileloadd 0x40(%rcx,%r9), %tmm7"
	for name, tt := range map[string]struct {
		code          []string
		products      int
		renamed, kept int
	}{
		"products alone": {[]string{"tdpbf16ps %tmm6, %tmm4, %tmm0", "tdpbf16ps %tmm6, %tmm4, %tmm1", "tdpbf16ps %tmm6, %tmm4, %tmm2", "tdpbf16ps %tmm6, %tmm4, %tmm3"}, 4, 64, 64},
		"one sum":        {[]string{"tdpbf16ps %tmm6, %tmm4, %tmm0"}, 1, 52, 52},
		"two by two": {[]string{a, b, "tdpbf16ps %tmm6, %tmm4, %tmm0", right, "tdpbf16ps %tmm7, %tmm4, %tmm1", lower, "tdpbf16ps %tmm6, %tmm5, %tmm2",
			"tdpbf16ps %tmm7, %tmm5, %tmm3", "addq 0x58(%rdi), %rax"}, 4, 64, 77},
		"loads": {[]string{a, b, a, b, a, b, a, b, "tdpbf16ps %tmm6, %tmm4, %tmm0"}, 1, 64, 101},
	} {
		for _, renamed := range []bool{true, false} {
			want := tt.kept
			if renamed {
				want = tt.renamed
			}
			cycles, products := tileCycles(tt.code, renamed)
			if products != tt.products || math.Round(cycles) != float64(want) {
				t.Errorf("%s, renamed %v: %d products in %.2f cycles, want %d in %d", name, renamed, products, cycles, tt.products, want)
			}
		}
	}
}

func TestInstead(t *testing.T) {
	for _, tt := range []struct {
		instead  func(string) string
		in, want string
	}{
		{sapphire, "vfmadd231ps %zmm30, %zmm28, %zmm0", "vaddps %zmm30, %zmm0, %zmm0"},
		{sapphire, "vmulpd 0x40(%rax), %zmm1, %zmm2", "vaddpd 0x40(%rax), %zmm2, %zmm2"},
		{sapphire, "vfmadd231ps %ymm14, %ymm0, %ymm1", "vfmadd231ps %ymm14, %ymm0, %ymm1"},
		{sapphire, "vmovups (%rdx), %zmm28", "vmovups (%rdx), %zmm28"},
		{loadedBroadcast, "vbroadcastss 0x4(%rcx,%rdi), %zmm30", "vmovups 0x4(%rcx,%rdi), %zmm30"},
		{loadedBroadcast, "vbroadcastss %xmm1, %zmm30", "vbroadcastss %xmm1, %zmm30"},
	} {
		if got := tt.instead(tt.in); got != tt.want {
			t.Errorf("%q becomes %q, want %q", tt.in, got, tt.want)
		}
	}
}
