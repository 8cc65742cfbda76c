// Command peers lets other programs loose on the problems of package mgh, in a module of its own so that Tarn depends on none of
// them. Without an argument it minimizes all with the L-BFGS of gonum and prints how many evaluations that took, as JSON.
// With "serve" it evaluates: each line on standard input is the name of a problem and a point, and each line of the answer
// f and its gradient; counts.py speaks with it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"math"
	"os"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"

	"github.com/seed-49005b45/tarn/minimize/internal/mgh"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "list" {
		list()
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		serve()
		return
	}
	counts := map[string]int{}
	for _, p := range mgh.Problems {
		counts[p.Name] = gonum(p)
	}
	out, err := json.MarshalIndent(counts, "", "\t")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(out))
}

// gonum counts the evaluations of f until a gradient of at most 1e-6 has been seen; 0 if that does not happen.
func gonum(p mgh.Problem) int {
	evaluations, first := 0, 0
	problem := optimize.Problem{
		Func: func(x []float64) float64 { evaluations++; return p.F.Func(x) },
		Grad: func(dst, x []float64) {
			p.F.Grad(dst, x)
			if first == 0 && floats.Norm(dst, math.Inf(1)) <= 1e-6 {
				first = evaluations
			}
		},
	}
	settings := &optimize.Settings{GradientThreshold: 1e-6, Converger: optimize.NeverTerminate{}, MajorIterations: 3000}
	optimize.Minimize(problem, p.Start, settings, &optimize.LBFGS{Store: 10}) // an error shows as no such gradient
	return first
}

func list() {
	for _, p := range mgh.Problems {
		fmt.Println(p.Name, strings.Trim(fmt.Sprint(p.Start), "[]"))
	}
}

func serve() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fields := strings.Fields(in.Text())
		for _, p := range mgh.Problems {
			if p.Name != fields[0] {
				continue
			}
			var x []float64
			for _, f := range fields[1:] {
				v, err := strconv.ParseFloat(f, 64)
				if err != nil {
					log.Fatal(err)
				}
				x = append(x, v)
			}
			g := make([]float64, len(x))
			p.F.Grad(g, x)
			fmt.Print(strconv.FormatFloat(p.F.Func(x), 'g', -1, 64))
			for _, v := range g {
				fmt.Print(" ", strconv.FormatFloat(v, 'g', -1, 64))
			}
			fmt.Println()
		}
	}
}
