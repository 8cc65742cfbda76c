// The loops of AMX. LLVM's models have no throughput for its instructions and a latency of 100 cycles, so the loops are counted here, by the figures of Intel's
// "64 and IA-32 Architectures Optimization Reference Manual", chapter 20: a product of whole tiles takes the unit 16 cycles and its sums can be added to
// after 52; a load from the first-level cache takes the load ports 8 cycles, and the tile is there after 45.

package main

import (
	"fmt"
	"regexp"
	"strings"
)

const (
	productCycles  = 16
	productLatency = 52
	loadCycles     = 8
	loadLatency    = 45
)

var tileNumber = regexp.MustCompile(`%tmm(\d)`)

// tileCycles returns the cycles of a round of a loop, and how many products it has. If tiles are renamed, a load need not wait for the products
// that read what the tile held; else it waits until they have begun.
func tileCycles(code []string, renamed bool) (cycles float64, products int) {
	const rounds = 1000
	var ready, read [8]int // when a tile's contents are there, and when the last product has begun that reads them
	multiplier, ports := 0, 0
	for range rounds {
		products = 0
		for _, line := range code {
			switch name, _, _ := strings.Cut(line, " "); name {
			case "tileloadd":
				t := tileNumber.FindStringSubmatch(line)[1][0] - '0'
				start := ports
				if !renamed {
					start = max(start, read[t])
				}
				ports, ready[t] = start+loadCycles, start+loadLatency
			case "tdpbf16ps":
				var t [3]byte // B, A and C
				for i, m := range tileNumber.FindAllStringSubmatch(line, 3) {
					t[i] = m[1][0] - '0'
				}
				start := max(multiplier, ready[t[0]], ready[t[1]], ready[t[2]])
				multiplier, ready[t[2]] = start+productCycles, start+productLatency
				read[t[0]], read[t[1]] = start, start
				products++
			}
		}
	}
	return float64(multiplier) / rounds, products
}

// printTiles prints the table of the loops of AMX.
func printTiles(llvm, binary string, a architecture) error {
	fmt.Print("\n| loop | loads | products | tiles renamed | tiles not renamed |\n| --- | --- | --- | --- | --- |\n")
	for _, function := range a.tiles {
		code, err := a.disassemble(llvm, binary, hot{function: function})
		if err != nil {
			return err
		}
		loads := 0
		for _, line := range code {
			if strings.HasPrefix(line, "tileloadd") {
				loads++
			}
		}
		_, products := tileCycles(code, true)
		fmt.Printf("| %s | %d | %d |", strings.TrimPrefix(function, "amxTiles")+" tiles of 16x16", loads, products)
		for _, renamed := range []bool{true, false} {
			cycles, _ := tileCycles(code, renamed)
			fmt.Printf(" %.0f cycles, %.0f %% |", cycles, 100*float64(products*productCycles)/cycles)
		}
		fmt.Println()
	}
	return nil
}
