#include "textflag.h"
#include "go_asm.h"

// The first argument, 101, is CblasRowMajor. These are C functions of one argument, which R0 points to. In Apple's calling convention the first eight integers and pointers are in R0 to R7, floats
// in F0 and F1, and the rest on the stack, each in its own size and alignment. R19 to R29 and the lower halves of V8 to V15 must be kept, which they do by not touching them.

#define ARGUMENTS \
	SUB  $48, RSP                \
	STP  (R29, R30), 32(RSP)     \
	ADD  $32, RSP, R29           \
	MOVD R0, R9                  \
	MOVD blasArguments_b(R9), R10 \
	MOVD R10, 0(RSP)             \
	MOVW blasArguments_ldb(R9), R10 \
	MOVW R10, 8(RSP)             \
	MOVD blasArguments_c(R9), R10 \
	MOVD R10, 16(RSP)            \
	MOVW blasArguments_ldc(R9), R10 \
	MOVW R10, 24(RSP)            \
	MOVD $101, R0                \
	MOVW blasArguments_transA(R9), R1 \
	MOVW blasArguments_transB(R9), R2 \
	MOVW blasArguments_m(R9), R3 \
	MOVW blasArguments_n(R9), R4 \
	MOVW blasArguments_k(R9), R5 \
	MOVD blasArguments_a(R9), R6 \
	MOVW blasArguments_lda(R9), R7

#define RETURN \
	LDP  32(RSP), (R29, R30) \
	ADD  $48, RSP            \
	MOVD $0, R0              \
	RET

TEXT sgemm<>(SB), NOSPLIT|NOFRAME, $0
	ARGUMENTS
	FMOVS blasArguments_alpha32(R9), F0
	FMOVS blasArguments_beta32(R9), F1
	CALL  tarn_cblas_sgemm(SB)
	RETURN

TEXT dgemm<>(SB), NOSPLIT|NOFRAME, $0
	ARGUMENTS
	FMOVD blasArguments_alpha64(R9), F0
	FMOVD blasArguments_beta64(R9), F1
	CALL  tarn_cblas_dgemm(SB)
	RETURN

DATA ·sgemmAddress(SB)/8, $sgemm<>(SB)
GLOBL ·sgemmAddress(SB), RODATA, $8
DATA ·dgemmAddress(SB)/8, $dgemm<>(SB)
GLOBL ·dgemmAddress(SB), RODATA, $8
