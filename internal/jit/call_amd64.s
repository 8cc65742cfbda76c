//go:build linux && amd64

#include "textflag.h"

// func call(code uintptr, slots *unsafe.Pointer, n int)
//
// The code is given the slots in DI and n in CX. It may change every register but SP and BP.
TEXT ·call(SB), NOSPLIT, $0-24
	MOVQ code+0(FP), AX
	MOVQ slots+8(FP), DI
	MOVQ n+16(FP), CX
	CALL AX
	VZEROUPPER
	RET
