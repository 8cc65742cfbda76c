//go:build darwin || freebsd || linux || windows

#include "textflag.h"

// func call(code uintptr, slots *uintptr, n int)
//
// The code is given the slots in DI and n in CX, and the frame above its return address: eight words and 16 vectors of 64 bytes. It may change
// every register but SP and BP. It runs in the mode in which denormal numbers are zero, as the kernels of package cpu do.
TEXT ·call(SB), 0, $1088-24
	MOVQ code+0(FP), AX
	MOVQ slots+8(FP), DI
	MOVQ n+16(FP), CX
	LDMXCSR flush<>(SB)
	CALL AX
	VZEROUPPER
	LDMXCSR ieee<>(SB)
	RET

// MXCSR with bits 15 and 6 set, which flush results and operands to zero, and as Go has it.
DATA flush<>+0(SB)/4, $0x9FC0
GLOBL flush<>(SB), RODATA|NOPTR, $4
DATA ieee<>+0(SB)/4, $0x1F80
GLOBL ieee<>(SB), RODATA|NOPTR, $4
