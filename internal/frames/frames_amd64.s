//go:build linux || darwin

#include "textflag.h"

// A frame begins with the address of the frame of its caller, 0 in the outermost one, and the return address lies above. An address outside of
// the stack, whose ends a goroutine's descriptor begins with, or not above the one before, is none of a frame.

// func read(pcs *uintptr, n int) bool
TEXT ·read(SB), NOSPLIT|NOFRAME, $0-17
	MOVQ pcs+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ (TLS), AX
	MOVQ 0(AX), R8 // the stack's lowest address
	MOVQ 8(AX), R9 // and its end
	SUBQ $16, R9
	MOVQ BP, BX

loop:
	TESTQ BX, BX
	JZ    done
	CMPQ  BX, R8
	JLS   broken
	CMPQ  BX, R9
	JHI   broken
	MOVQ  8(BX), AX
	MOVQ  AX, (DI)
	ADDQ  $8, DI
	MOVQ  BX, R8
	MOVQ  (BX), BX
	DECQ  CX
	JNZ   loop

done:
	MOVB $1, ret+16(FP)
	RET

broken:
	MOVB $0, ret+16(FP)
	RET
