package main

// Random words and pooling by the largest element, for NEON.

func init() {
	registerNEON("../rng/philox_neon_arm64", philoxNEON)
	registerNEON("../rng/normal_neon_arm64", func(f *neonFile) {
		for _, k := range normalKernels() {
			neonMachine(f, true).neonFunction(k)
		}
	})
	registerNEON("pool_neon_arm64", func(f *neonFile) {
		poolNEON(f, false)
		poolNEON(f, true)
	})
}

// philoxNEON assembles the function that philox.go describes. Four vectors hold the words of four blocks, word by word; two such groups are
// interleaved, so that their latencies overlap, and ST4 puts the words of a block side by side.
func philoxNEON(f *neonFile) {
	at := f.begin("philoxNEON", "", []string{"dst", "key unsafe.Pointer", "block", "n int"})
	for i, p := range []string{"dst", "key", "block", "n"} {
		f.line("MOVD %s, R%d", at[p], map[int]int{0: 0, 1: 1, 2: 2, 3: 4}[i])
	}
	const (
		multiplier, key, increment, upper = 0, 2, 4, 6 // pairs of registers
		lowBlocks, highBlocks             = 8, 9       // the blocks of a group, less the first
		roundKey                          = 24
	)
	f.line("MOVD $%s<>(SB), R9", f.symbol)
	f.line("FMOVQ %d(R9), F%d", f.vector(0, 1), lowBlocks)
	f.line("FMOVQ %d(R9), F%d", f.vector(2, 3), highBlocks)
	for i, x := range []uint32{0xD2511F53, 0xCD9E8D57} {
		f.line("MOVD $%#x, R10", x)
		f.line("VDUP R10, V%d.S4", multiplier+i)
	}
	for i, x := range []uint32{0x9E3779B9, 0xBB67AE85} {
		f.line("MOVD $%#x, R10", x)
		f.line("VDUP R10, V%d.S4", increment+i)
	}
	for i, pair := range []int{key, upper} {
		f.line("MOVD %d(R1), R10", 8*i)
		f.line("VDUP R10, V%d.S4", pair)
		f.line("LSR $32, R10")
		f.line("VDUP R10, V%d.S4", pair+1)
	}
	f.while(1, func() {
		bases, temporary := []int{16, 20}, []int{26, 10}
		for _, b := range bases {
			f.line("VDUP R2, V26.D2")
			f.word("add", true, 27, 26, highBlocks, 0)
			f.word("add", true, 26, 26, lowBlocks, 0)
			f.word("uzp1", false, b, 26, 27, 0)
			f.word("uzp2", false, b+1, 26, 27, 0)
			f.word("orr", false, b+2, upper, upper, 0)
			f.word("orr", false, b+3, upper+1, upper+1, 0)
			f.line("ADD $4, R2")
		}
		for i := range 2 {
			f.word("orr", false, roundKey+i, key+i, key+i, 0)
		}
		for round := range 10 {
			if round > 0 {
				for i := range 2 {
					f.word("add", false, roundKey+i, roundKey+i, increment+i, 0)
				}
			}
			for g, b := range bases {
				t := temporary[g]
				for i := range 2 { // products of the words 0 and 2, of their halves
					f.word("umull", false, t+2*i, b+2*i, multiplier+i, 0)
					f.word("umull2", false, t+2*i+1, b+2*i, multiplier+i, 0)
				}
				for i := range 2 {
					p := t + 2*(1-i)
					f.word("uzp2", false, b+2*i, p, p+1, 0)
					f.word("eor", false, b+2*i, b+2*i, b+2*i+1, 0)
					f.word("eor", false, b+2*i, b+2*i, roundKey+i, 0)
					f.word("uzp1", false, b+2*i+1, p, p+1, 0)
				}
			}
		}
		for _, b := range bases {
			f.line("VST4.P [V%d.S4, V%d.S4, V%d.S4, V%d.S4], 64(R0)", b, b+1, b+2, b+3)
		}
	})
	f.end(false)
}

// poolNEON assembles the kernels that pool.go describes, by four channels and then by single ones.
func poolNEON(f *neonFile, spread bool) {
	if spread {
		at := f.begin("poolSpread32NEON", "poolSpread32NEON adds dy[i] to dx[i] at the first offset at which x[i] is largest, or NaN.",
			[]string{"dx *byte", "x *byte", "offsets *int", "taps int", "dy *byte", "n int"})
		for i, p := range []string{"dx", "x", "offsets", "taps", "n", "dy"} {
			f.line("MOVD %s, R%d", at[p], map[int]int{0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 11}[i])
		}
		f.flush()
	} else {
		at := f.begin("poolLargest32NEON", "poolLargest32NEON sets y[i] to the largest of x[i] at all offsets, which count bytes, or the first NaN.",
			[]string{"y *byte", "x *byte", "offsets *int", "taps int", "n int"})
		for i, p := range []string{"y", "x", "offsets", "taps", "n"} {
			f.line("MOVD %s, R%d", at[p], i)
		}
	}
	const best, which, tap = 0, 4, 5
	channels := func(letter string, bytes int) {
		load := func(base string, d int) { // at the next offset
			f.line("MOVD.P 8(R5), R6")
			f.line("ADD R6, %s, R7", base)
			f.line("FMOV%s (R7), F%d", letter, d)
		}
		scan, scanned := f.newLabel("scan"), f.newLabel("scanned")
		f.line("MOVD R2, R5")
		load("R1", best)
		if spread {
			f.word("movi0", false, which, 0, 0, 0)
			f.line("MOVD $0, R9")
		}
		f.line("SUBS $1, R3, R8")
		f.line("BLE %s", scanned)
		f.label(scan)
		load("R1", 1)
		f.word("fcmge", false, 2, best, 1, 0)
		f.word("fcmeq", false, 3, best, best, 0)
		f.word("bic", false, 2, 3, 2, 0) // larger, or NaN, and none was NaN before
		f.word("bit", false, best, 1, 2, 0)
		if spread {
			f.line("ADD $1, R9")
			f.line("VDUP R9, V%d.S4", tap)
			f.word("bit", false, which, tap, 2, 0)
		}
		f.line("SUBS $1, R8")
		f.line("BNE %s", scan)
		f.label(scanned)
		f.line("ADD $%d, R1", bytes)
		if !spread {
			f.line("FMOV%s.P F%d, %d(R0)", letter, best, bytes)
			return
		}
		add := f.newLabel("spread")
		f.line("FMOV%s.P %d(R11), F6", letter, bytes)
		f.line("MOVD R2, R5")
		f.line("MOVD R3, R8")
		f.line("MOVD $0, R9")
		f.label(add)
		f.line("VDUP R9, V%d.S4", tap)
		f.word("cmeq", false, 7, which, tap, 0)
		load("R0", 1)
		f.word("fadd", false, 2, 1, 6, 0)
		f.word("bit", false, 1, 2, 7, 0)
		f.line("FMOV%s F1, (R7)", letter)
		f.line("ADD $1, R9")
		f.line("SUBS $1, R8")
		f.line("BNE %s", add)
		f.line("ADD $%d, R0", bytes)
	}
	f.while(4, func() { channels("Q", 16) })
	f.while(1, func() { channels("S", 4) })
	f.end(spread)
}
