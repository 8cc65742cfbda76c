//go:build linux || darwin

#include "textflag.h"

// func call(code uintptr, slots *uintptr, n int)
//
// The code is given the slots in R0 and n in R1, and the frame: the return address and 16 vectors. It may change every register but R18, R26 to R29 and RSP.
// It runs in the mode in which denormal numbers are zero, bit 24 of FPCR, as the kernels of package cpu do.
TEXT ·call(SB), 0, $288-24
	MOVD code+0(FP), R16
	MOVD slots+8(FP), R0
	MOVD n+16(FP), R1
	MRS  FPCR, R26
	ORR  $(1<<24), R26, R10
	MSR  R10, FPCR
	CALL (R16)
	MSR  R26, FPCR
	RET
