package main

// The encodings of the A64 vector instructions, most of which Go's assembler does not know. Each becomes a WORD with the instruction as a comment,
// which a test checks against LLVM's assembler. Loads, stores, branches and instructions on integers are the assembler's.

import (
	"fmt"
	"strings"
)

// encoding is an instruction on vectors of four 32-bit lanes, and how it is written: D, N and M are its registers, T is the arrangement of
// lanes, t a lane's size and I the immediate.
type encoding struct {
	word uint32
	text string
}

const (
	threeSame = "D.T, N.T, M.T"
	threeBits = "D.16b, N.16b, M.16b"
	twoSame   = "D.T, N.T"
)

// encodings lists the instructions. Bit 22 makes those with an arrangement work on two 64-bit lanes.
var encodings = map[string]encoding{
	"fadd": {0x4E20D400, threeSame}, "fsub": {0x4EA0D400, threeSame}, "fmul": {0x6E20DC00, threeSame}, "fdiv": {0x6E20FC00, threeSame},
	"fmla": {0x4E20CC00, threeSame}, "fmls": {0x4EA0CC00, threeSame}, "fmax": {0x4E20F400, threeSame}, "fmin": {0x4EA0F400, threeSame},
	"fcmgt": {0x6EA0E400, threeSame}, "fcmge": {0x6E20E400, threeSame}, "fcmeq": {0x4E20E400, threeSame}, "faddp": {0x6E20D400, threeSame},
	"add": {0x4EA08400, threeSame}, "sub": {0x6EA08400, threeSame}, "mul": {0x4EA09C00, threeSame},
	"smax": {0x4EA06400, threeSame}, "smin": {0x4EA06C00, threeSame}, "sshl": {0x4EA04400, threeSame}, "ushl": {0x6EA04400, threeSame},
	"cmgt": {0x4EA03400, threeSame}, "cmge": {0x4EA03C00, threeSame}, "cmeq": {0x6EA08C00, threeSame}, "cmhi": {0x6EA03400, threeSame},
	"cmtst": {0x4EA08C00, threeSame},
	"zip1":  {0x4E803800, threeSame}, "zip2": {0x4E807800, threeSame}, "uzp1": {0x4E801800, threeSame}, "uzp2": {0x4E805800, threeSame},

	"and": {0x4E201C00, threeBits}, "orr": {0x4EA01C00, threeBits}, "eor": {0x6E201C00, threeBits}, "bic": {0x4E601C00, threeBits},
	"bsl": {0x6E601C00, threeBits}, "bit": {0x6EA01C00, threeBits}, "bif": {0x6EE01C00, threeBits},

	"fabs": {0x4EA0F800, twoSame}, "fneg": {0x6EA0F800, twoSame}, "fsqrt": {0x6EA1F800, twoSame}, "frintn": {0x4E218800, twoSame},
	"frintm": {0x4E219800, twoSame}, "frintp": {0x4EA18800, twoSame}, "fcvtns": {0x4E21A800, twoSame}, "fcvtzs": {0x4EA1B800, twoSame},
	"scvtf": {0x4E21D800, twoSame}, "ucvtf": {0x6E21D800, twoSame}, "abs": {0x4EA0B800, twoSame}, "neg": {0x6EA0B800, twoSame},
	"not": {0x6E205800, "D.16b, N.16b"}, "cmlt": {0x4EA0A800, "D.T, N.T, #0"},

	"fmla.e": {0x4F801000, "D.T, N.T, M.t[I]"}, "fmul.e": {0x4F809000, "D.T, N.T, M.t[I]"},
	"shl": {0x4F005400, "D.T, N.T, #I"}, "ushr": {0x6F000400, "D.T, N.T, #I"}, "sshr": {0x4F000400, "D.T, N.T, #I"},

	"movi0": {0x6F00E400, "D.2d, #0"}, "tbl2": {0x4E002000, "D.16b, { N.16b, L.16b }, M.16b"}, "ext8": {0x6E004000, "D.16b, N.16b, M.16b, #8"},
	"fcvtl": {0x0E617800, "D.2d, N.2s"}, "fcvtl2": {0x4E617800, "D.2d, N.4s"}, "fcvtn": {0x0E616800, "D.2s, N.2d"},
	"xtn32": {0x0EA12800, "D.2s, N.2d"}, "xtn16": {0x0E612800, "D.4h, N.4s"}, "xtn8": {0x0E212800, "D.8b, N.8h"},
	"uxtl8": {0x2F08A400, "D.8h, N.8b, #0"}, "uxtl16": {0x2F10A400, "D.4s, N.4h, #0"}, "uxtl32": {0x2F20A400, "D.2d, N.2s, #0"},
	"umaxv": {0x6EB0A800, "sD, N.4s"}, "uminv": {0x6EB1A800, "sD, N.4s"}, "fmaxv": {0x6E30F800, "sD, N.4s"}, "fminv": {0x6EB0F800, "sD, N.4s"},
	"faddp32": {0x7E30D800, "sD, N.2s"}, "faddp64": {0x7E70D800, "dD, N.2d"}, "fmaxp64": {0x7E70F800, "dD, N.2d"}, "fminp64": {0x7EF0F800, "dD, N.2d"},
	"umull": {0x2EA0C000, "D.2d, N.2s, M.2s"}, "umull2": {0x6EA0C000, "D.2d, N.4s, M.4s"}, "dup0": {0x4E040400, "D.4s, N.s[0]"},
	"dup0d": {0x4E080400, "D.2d, N.d[0]"}, "dup1d": {0x4E180400, "D.2d, N.d[1]"},

	"bfdot": {0x6E40FC00, "D.4s, N.8h, M.8h"}, "bfdot.e": {0x4F40F000, "D.4s, N.8h, M.2h[I]"},
	"bfcvtn": {0x0EA16800, "D.4h, N.4s"}, "bfcvtn2": {0x4EA16800, "D.8h, N.4s"}, "zip1h": {0x4E403800, "D.8h, N.8h, M.8h"}, "zip2h": {0x4E407800, "D.8h, N.8h, M.8h"},
}

// mnemonics are the names of those that are not written as they are called here.
var mnemonics = map[string]string{
	"fmla.e": "fmla", "fmul.e": "fmul", "movi0": "movi", "tbl2": "tbl", "ext8": "ext", "xtn32": "xtn", "xtn16": "xtn", "xtn8": "xtn",
	"uxtl8": "ushll", "uxtl16": "ushll", "uxtl32": "ushll", "faddp32": "faddp", "faddp64": "faddp", "fmaxp64": "fmaxp", "fminp64": "fminp",
	"dup0": "dup", "dup0d": "dup", "dup1d": "dup", "bfdot.e": "bfdot", "zip1h": "zip1", "zip2h": "zip2",
}

// encode returns the word and the text of an instruction on the registers d, n and m; imm is a shift or the index of an element.
func encode(op string, double bool, d, n, m, imm int) (uint32, string) {
	e, ok := encodings[op]
	if !ok {
		panic("no encoding of " + op)
	}
	w := e.word | uint32(d)
	if strings.Contains(e.text, "N") {
		w |= uint32(n) << 5
	}
	if strings.Contains(e.text, "M") {
		w |= uint32(m) << 16
	}
	bits, arrangement, element := 32, "4s", "s"
	if double {
		bits, arrangement, element = 64, "2d", "d"
		if strings.Contains(e.text, "T") && !strings.Contains(e.text, "I") || strings.Contains(e.text, "t[") {
			w |= 1 << 22
		}
	}
	switch op {
	case "fmla.e", "fmul.e", "bfdot.e": // the index of a 32-bit lane is in the bits 11 and 21, that of a 64-bit lane in bit 11
		if double && op != "bfdot.e" {
			w |= uint32(imm) << 11
		} else {
			w |= uint32(imm>>1)<<11 | uint32(imm&1)<<21
		}
	case "shl":
		w |= uint32(bits+imm) << 16
	case "ushr", "sshr":
		w |= uint32(2*bits-imm) << 16
	}
	name := op
	if s := mnemonics[op]; s != "" {
		name = s
	}
	var text strings.Builder
	for i, c := range e.text {
		switch c {
		case 'D', 'N', 'M', 'L':
			r := map[rune]int{'D': d, 'N': n, 'M': m, 'L': (n + 1) % 32}[c]
			if c == 'D' && i > 0 { // a scalar, whose size stands before
				fmt.Fprint(&text, r)
			} else {
				fmt.Fprintf(&text, "v%d", r)
			}
		case 'T':
			text.WriteString(arrangement)
		case 't':
			text.WriteString(element)
		case 'I':
			fmt.Fprint(&text, imm)
		default:
			text.WriteRune(c)
		}
	}
	return w, name + " " + text.String()
}

// readsDestination reports whether the destination is an operand, too.
func readsDestination(op string) bool {
	switch op {
	case "fmla", "fmls", "fmla.e", "bsl", "bit", "bif":
		return true
	}
	return false
}

// flushes reports whether the result of an instruction depends on whether denormal numbers count as zero.
func flushes(op string) bool { return op[0] == 'f' && op != "fabs" && op != "fneg" }
