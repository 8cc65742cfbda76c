// Command mca estimates how fast the hot loops of the kernels are on processors that are not at hand, by LLVM's models of them, and prints a table:
//
//	go -C internal/cpu/gen run ./mca -arch arm64 -llvm /usr/lib/llvm-22/bin
//	go -C internal/cpu/gen run ./mca -arch amd64 -llvm /usr/lib/llvm-22/bin
//
// The models assume that all memory is in the first-level cache and that branches are predicted. LLVM 22 has all of them.
package main

import (
	"cmp"
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
// multiply-adds. A product of pairs of bfloat16 numbers counts as one.
type hot struct {
	name, function string
	loop           int
	elements       int
	unit           string
}

// processor is a model, and how many multiply-adds it starts a cycle in each unit that it has.
type processor struct {
	name, model string
	starts      map[string]float64
	instead     func(instruction string) string // what stands in for an instruction that the model is known to have wrong, or nil
}

// architecture is what is estimated for a GOARCH.
type architecture struct {
	march         string
	fused, branch *regexp.Regexp
	processors    []processor
	loops         []hot
	limits        bool     // whether to print what limits a loop
	tiles         []string // functions of AMX, of which the first loop is estimated
}

var architectures = map[string]architecture{"amd64": amd64, "arm64": arm64}

func main() {
	llvm := flag.String("llvm", "/usr/lib/llvm-22/bin", "folder of llvm-objdump and llvm-mca")
	arch := flag.String("arch", "arm64", "architecture: amd64 or arm64")
	flag.Parse()
	if err := run(*llvm, *arch); err != nil {
		fmt.Fprintln(os.Stderr, "mca:", err)
		os.Exit(1)
	}
}

func run(llvm, arch string) error {
	a, known := architectures[arch]
	if !known {
		return fmt.Errorf("no loops for architecture %q", arch)
	}
	dir, err := os.MkdirTemp("", "mca")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "cpu.test")
	build := exec.Command("go", "test", "-c", "-o", binary, "./internal/cpu")
	build.Dir, build.Stderr = filepath.Join("..", "..", ".."), os.Stderr
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the kernels: %w", err)
	}
	fmt.Print("| loop | instructions | multiply-adds |")
	for _, p := range a.processors {
		fmt.Printf(" %s |", p.name)
	}
	fmt.Print("\n| --- | --- | --- |", strings.Repeat(" --- |", len(a.processors)), "\n")
	for _, h := range a.loops {
		code, err := a.disassemble(llvm, binary, h)
		if err != nil {
			return err
		}
		fused := 0
		for _, line := range code {
			if a.fused.MatchString(line) {
				fused++
			}
		}
		fmt.Printf("| %s | %d | %d |", h.name, len(code), fused)
		for _, p := range a.processors {
			starts := p.starts[h.unit]
			if starts == 0 {
				fmt.Print(" - |")
				continue
			}
			e, err := estimate(llvm, a.march, p, code)
			if err != nil {
				return fmt.Errorf("%s: %w", h.name, err)
			}
			if h.elements == 0 {
				fmt.Printf(" %.1f cycles, %.0f %%", e.cycles, 100*float64(fused)/e.cycles/starts)
			} else {
				fmt.Printf(" %.1f cycles, %.2f a number", e.cycles, e.cycles/float64(h.elements))
			}
			if a.limits {
				fmt.Printf(": %s", e.limit)
			}
			fmt.Print(" |")
		}
		fmt.Println()
	}
	if len(a.tiles) == 0 {
		return nil
	}
	return printTiles(llvm, binary, a)
}

var (
	instruction = regexp.MustCompile(`^\s*([0-9a-f]+):\s+(.*)$`)
	symbol      = regexp.MustCompile(`\s*(<[^>]*>|# .*)$`)
)

// disassemble returns the instructions of a loop.
func (a architecture) disassemble(llvm, binary string, h hot) ([]string, error) {
	dump := []string{"-d", "--no-show-raw-insn", "--disassemble-symbols=github.com/seed-49005b45/tarn/internal/cpu." + h.function + ".abi0"}
	if a.march == "aarch64" {
		dump = append(dump, "--mattr=+bf16")
	}
	out, err := exec.Command(filepath.Join(llvm, "llvm-objdump"), append(dump, binary)...).Output()
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
		if b := a.branch.FindStringSubmatch(s); b != nil {
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

var (
	total    = regexp.MustCompile(`Total Cycles:\s+(\d+)`)
	uops     = regexp.MustCompile(`Total uOps:\s+(\d+)`)
	width    = regexp.MustCompile(`Dispatch Width:\s+(\d+)`)
	resource = regexp.MustCompile(`(?m)^\[([\d.]+)\]\s+- (\w+)$`)
	prefix   = regexp.MustCompile(`^(SKL|SPR|ADLP|Zn4|N1|V1|V2)(Port0\B|Port|Unit)?`) // of the names of ports
	pressure = regexp.MustCompile(`Resource pressure per iteration:\n(.*)\n(.*)\n`)
)

// estimation is the cycles of a round, and what they are taken up by.
type estimation struct {
	cycles float64
	limit  string
}

// estimate asks a model how long a round takes.
func estimate(llvm, march string, p processor, code []string) (e estimation, err error) {
	const rounds = 400
	const full = 0.97 // of the cycles: what is busy for that long limits the loop
	var text strings.Builder
	for _, line := range code {
		if p.instead != nil {
			line = p.instead(line)
		}
		text.WriteString(line + "\n")
	}
	mca := exec.Command(filepath.Join(llvm, "llvm-mca"), "-march="+march, "-mcpu="+p.model, fmt.Sprintf("-iterations=%d", rounds))
	mca.Stdin = strings.NewReader(text.String())
	out, err := mca.CombinedOutput()
	number := func(r *regexp.Regexp) (x float64) {
		if m := r.FindSubmatch(out); m != nil {
			x, _ = strconv.ParseFloat(string(m[1]), 64)
		}
		return x
	}
	table := pressure.FindSubmatch(out)
	e.cycles = number(total) / rounds
	if err != nil || e.cycles == 0 || number(width) == 0 || table == nil {
		return e, fmt.Errorf("llvm-mca: %v\n%s", err, out)
	}
	names := map[string]string{}
	for _, m := range resource.FindAllSubmatch(out, -1) {
		names["["+string(m[1])+"]"] = string(m[2])
	}
	var limits []string
	busy := strings.Fields(string(table[2]))
	for i, head := range strings.Fields(string(table[1])) {
		if x, err := strconv.ParseFloat(busy[i], 64); err == nil && x >= full*e.cycles {
			limits = append(limits, prefix.ReplaceAllString(names[head], ""))
		}
	}
	if number(uops)/rounds/number(width) >= full*e.cycles {
		limits = append(limits, "dispatch")
	}
	e.limit = cmp.Or(strings.Join(limits, " "), "latency")
	return e, nil
}
