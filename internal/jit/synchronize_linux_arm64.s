#include "textflag.h"

// func flush(from, to uintptr)
//
// Arm Architecture Reference Manual for A-profile architecture, section B2.4.4: new code is cleaned from the data cache and what was there before is
// invalidated in the instruction cache. CTR_EL0, which Linux lets programs read, has the sizes of lines as powers of 4 bytes.
TEXT ·flush(SB), NOSPLIT, $0-16
	MOVD from+0(FP), R0
	MOVD to+8(FP), R1
	MRS  CTR_EL0, R2
	UBFX $16, R2, $4, R3 // data lines
	AND  $15, R2, R4     // instruction lines
	MOVD $4, R5
	LSL  R3, R5, R3
	LSL  R4, R5, R4
	SUB  $1, R3, R6
	BIC  R6, R0, R7

data:
	DC  CVAU, R7
	ADD R3, R7
	CMP R1, R7
	BLO data
	DSB $11              // of the inner shareable domain
	SUB $1, R4, R6
	BIC R6, R0, R7

instructions:
	WORD $0xD50B7527 // ic ivau, x7
	ADD  R4, R7
	CMP  R1, R7
	BLO  instructions
	DSB  $11
	ISB  $15
	RET
