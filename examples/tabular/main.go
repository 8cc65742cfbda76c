// Command tabular predicts from a table: which species a penguin is, from its measures. It reads the table, fits a model and asks it.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"flag"
	"fmt"
	"log"
	"strings"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/fit"
	"github.com/seed-49005b45/tarn/predict"
)

//go:embed testdata/penguins.csv
var penguins []byte

// found are birds whose species is asked for. Columns are found by name, and what is missing may be missing.
const found = `sex,island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g
MALE,Biscoe,50.2,15.1,222,5650
,Torgersen,39.0,18.2,,3500
FEMALE,Dream,46.1,18.0,196,3650
`

// run fits a model, says how good it is and what it makes of the birds that were found, and writes it to the file at path, if that is not empty.
func run(ctx context.Context, path string) (*fit.Model, *predict.Answers, error) {
	t, err := table.Read(bytes.NewReader(penguins), table.Options{})
	if err != nil {
		return nil, nil, err
	}
	m, err := fit.Table(ctx, t, fit.Options{Target: "species", Seed: 1})
	if err != nil {
		return nil, nil, err
	}
	for _, name := range m.About.MetricNames() {
		fmt.Printf("%-17s %.4f  linear model %.4f  always the commonest species %.4f\n", name, m.About.Metrics[name], m.About.Linear[name], m.About.Baseline[name])
	}
	for _, i := range m.About.Importance {
		fmt.Printf("%-17s shuffled, the loss rises by %.3f\n", i.Column, i.Worse)
	}
	rows, err := table.Read(strings.NewReader(found), table.Options{})
	if err != nil {
		return nil, nil, err
	}
	answers, err := m.Predict(ctx, rows)
	if err != nil {
		return nil, nil, err
	}
	for i, species := range answers.Labels {
		fmt.Printf("bird %d: %s, probabilities of %v %.3f\n", i+1, species, answers.Classes, answers.Probabilities[i])
	}
	if path != "" {
		err = m.Save(path)
	}
	return m, answers, err
}

func main() {
	out := flag.String("out", "", "file for the model")
	flag.Parse()
	if _, _, err := run(context.Background(), *out); err != nil {
		log.Fatal(err)
	}
}
