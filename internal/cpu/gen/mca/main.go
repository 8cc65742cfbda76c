// Command mca estimates how fast the hot loops of the NEON kernels are on processors that are not at hand, by LLVM's models of them, and prints a table:
//
//	go -C internal/cpu/gen run ./mca -llvm /usr/lib/llvm-22/bin
//
// The models assume that all memory is in the first-level cache and that branches are predicted. LLVM 16 or later has all three.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// hot is a loop: the one that ends with a function's backward branch of that number. elements is the number of results of a round, or 0 for loops of
// multiply-adds. BFDOT counts as one.
type hot struct {
	name, function string
	loop           int
	elements       int
}

var loops = []hot{
	{"f32 tile 7x12, A along K", "gemm32NEONTile7x3", 0, 0},
	{"f32 tile 7x12, A down columns", "gemm32NEONTile7x3", 1, 0},
	{"f32 tile 7x12, any A", "gemm32NEONTile7x3", 2, 0},
	{"f32 tile 6x16, A along K", "gemm32NEONTile6x4", 0, 0},
	{"f32 tile 6x16, A down columns", "gemm32NEONTile6x4", 1, 0},
	{"f32 tile 4x16, A along K", "gemm32NEONTile4x4", 0, 0},
	{"f32 tile 1x16, A along K", "gemm32NEONTile1x4", 0, 0},
	{"bfloat16 tile 6x16, A along K", "gemmBF16NEONTile6x4", 0, 0},
	{"bfloat16 tile 6x16, A in panels", "gemmBF16NEONTile6x4", 1, 0},
	{"f64 tile 7x6, A along K", "gemm64NEONTile7x3", 0, 0},
	{"f64 tile 7x6, A down columns", "gemm64NEONTile7x3", 1, 0},
	{"f64 tile 7x6, any A", "gemm64NEONTile7x3", 2, 0},
	{"f32 dot products 4x4", "gemm32NEONDot4x4", 0, 0},
	{"f64 dot products 4x4", "gemm64NEONDot4x4", 0, 0},
	{"f32 dot product", "gemm32NEONDot1x1", 0, 0},
	{"f32 sum", "vecAddF32NEON", 0, 4},
	{"f32 exp", "vecExpF32NEON", 0, 4},
	{"f32 log", "vecLogF32NEON", 0, 4},
	{"f32 tanh", "vecTanhF32NEON", 0, 4},
	{"f32 sigmoid", "vecSigmoidF32NEON", 0, 4},
	{"f32 GELU", "vecGELUF32NEON", 0, 4},
	{"f32 GELU's derivative", "vecGELUPrimeF32NEON", 0, 4},
	{"f32 sine", "vecSinF32NEON", 0, 4},
	{"f64 exp", "vecExpF64NEON", 0, 2},
	{"f32 row sum, in f64", "vecRowSumF32NEON", 0, 8},
	{"f32 row maximum", "vecRowMaxF32NEON", 0, 16},
	{"f32 column sum", "vecColumnSumF32NEON", 0, 32},
}

// processor is a model, how many vector multiply-adds it starts a cycle, and whether it has BFDOT.
type processor struct {
	name, model string
	pipes       float64
	bf16        bool
}

var processors = []processor{{"Neoverse N1", "neoverse-n1", 2, false}, {"Neoverse V1", "neoverse-v1", 4, true}, {"Neoverse V2", "neoverse-v2", 4, true}}

func main() {
	llvm := flag.String("llvm", "/usr/lib/llvm-22/bin", "folder of llvm-objdump and llvm-mca")
	flag.Parse()
	if err := run(*llvm); err != nil {
		fmt.Fprintln(os.Stderr, "mca:", err)
		os.Exit(1)
	}
}

func run(llvm string) error {
	dir, err := os.MkdirTemp("", "mca")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "cpu.test")
	build := exec.Command("go", "test", "-c", "-o", binary, "./internal/cpu")
	build.Dir, build.Stderr = filepath.Join("..", "..", ".."), os.Stderr
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the kernels: %w", err)
	}
	fmt.Print("| loop | instructions | multiply-adds |")
	for _, p := range processors {
		fmt.Printf(" %s |", p.name)
	}
	fmt.Print("\n| --- | --- | --- |", strings.Repeat(" --- |", len(processors)), "\n")
	for _, h := range loops {
		code, err := disassemble(llvm, binary, h)
		if err != nil {
			return err
		}
		fused := 0
		for _, line := range code {
			if strings.HasPrefix(line, "fmla") || strings.HasPrefix(line, "fmls") || strings.HasPrefix(line, "bfdot") {
				fused++
			}
		}
		fmt.Printf("| %s | %d | %d |", h.name, len(code), fused)
		for _, p := range processors {
			if strings.Contains(h.function, "BF16") && !p.bf16 {
				fmt.Print(" has no BFDOT |")
				continue
			}
			cycles, err := estimate(llvm, p.model, code)
			if err != nil {
				return fmt.Errorf("%s: %w", h.name, err)
			}
			if h.elements == 0 {
				fmt.Printf(" %.1f cycles, %.0f %% |", cycles, 100*float64(fused)/cycles/p.pipes)
			} else {
				fmt.Printf(" %.1f cycles, %.2f a number |", cycles, cycles/float64(h.elements))
			}
		}
		fmt.Println()
	}
	return nil
}

var (
	instruction = regexp.MustCompile(`^\s*([0-9a-f]+):\s+(.*)$`)
	branch      = regexp.MustCompile(`^(?:b|b\.\w+|cbn?z \w+,|tbn?z \w+, #[0-9a-fx]+,)\s+0x([0-9a-f]+)`)
	symbol      = regexp.MustCompile(`\s*<[^>]*>$`)
)

// disassemble returns the instructions of a loop.
func disassemble(llvm, binary string, h hot) ([]string, error) {
	out, err := exec.Command(filepath.Join(llvm, "llvm-objdump"), "-d", "--no-show-raw-insn", "--mattr=+bf16",
		"--disassemble-symbols=github.com/seed-49005b45/tarn/internal/cpu."+h.function+".abi0", binary).Output()
	if err != nil {
		return nil, fmt.Errorf("llvm-objdump: %w", err)
	}
	var text []string
	places := map[uint64]int{}
	nth := h.loop
	for line := range strings.Lines(string(out)) {
		m := instruction.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			continue
		}
		at, err := strconv.ParseUint(m[1], 16, 64)
		if err != nil {
			return nil, err
		}
		s := symbol.ReplaceAllString(strings.ReplaceAll(m[2], "\t", " "), "")
		places[at] = len(text)
		if b := branch.FindStringSubmatch(s); b != nil {
			to, err := strconv.ParseUint(b[1], 16, 64)
			if err != nil {
				return nil, err
			}
			s = strings.Replace(s, "0x"+b[1], "0", 1) // llvm-mca reads no addresses
			if start, known := places[to]; known {
				if nth == 0 {
					return append(text[start:], s), nil
				}
				nth--
			}
		}
		text = append(text, s)
	}
	return nil, fmt.Errorf("%s has no loop %d", h.function, h.loop)
}

var total = regexp.MustCompile(`Total Cycles:\s+(\d+)`)

// estimate returns the cycles of a round.
func estimate(llvm, model string, code []string) (float64, error) {
	const rounds = 400
	mca := exec.Command(filepath.Join(llvm, "llvm-mca"), "-march=aarch64", "-mcpu="+model, fmt.Sprintf("-iterations=%d", rounds))
	mca.Stdin = strings.NewReader(strings.Join(code, "\n") + "\n")
	out, err := mca.CombinedOutput()
	m := total.FindSubmatch(out)
	if err != nil || m == nil {
		return 0, fmt.Errorf("llvm-mca: %v\n%s", err, out)
	}
	cycles, err := strconv.ParseFloat(string(m[1]), 64)
	return cycles / rounds, err
}
