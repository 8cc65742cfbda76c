//go:build linux || darwin

#include "textflag.h"

// A frame begins with the address of the frame of its caller, 0 in the outermost one, and the return address lies above. An address outside of
// the stack, whose ends a goroutine's descriptor begins with, or not above the one before, is none of a frame.

// func read(pcs *uintptr, n int) bool
TEXT ·read(SB), NOSPLIT|NOFRAME, $0-17
	MOVD pcs+0(FP), R0
	MOVD n+8(FP), R1
	MOVD 0(g), R2 // the stack's lowest address
	MOVD 8(g), R3 // and its end
	SUB  $16, R3
	MOVD R29, R4

loop:
	CBZ  R4, done
	CMP  R2, R4
	BLS  broken
	CMP  R3, R4
	BHI  broken
	MOVD 8(R4), R5
	MOVD.P R5, 8(R0)
	MOVD R4, R2
	MOVD (R4), R4
	SUB  $1, R1
	CBNZ R1, loop

done:
	MOVD $1, R5
	MOVB R5, ret+16(FP)
	RET

broken:
	MOVB ZR, ret+16(FP)
	RET
