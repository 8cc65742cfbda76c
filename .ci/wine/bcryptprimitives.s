# The one function that Go programs take from bcryptprimitives.dll, a library of Windows that Wine 8 lacks. It is for tests alone.

	.section .drectve
	.ascii " -export:ProcessPrng"

	.text
	.globl DllMainCRTStartup, ProcessPrng
DllMainCRTStartup:
	mov	$1, %eax
	ret

# BOOL ProcessPrng(PBYTE data, SIZE_T n) fills n bytes with random ones.
ProcessPrng:
	test	%rdx, %rdx
	jz	2f
1:	rdrand	%rax
	jnc	1b
	mov	%al, (%rcx)
	inc	%rcx
	dec	%rdx
	jnz	1b
2:	mov	$1, %eax
	ret
