// Command text tells in which of the three books of Newton's Opticks a paragraph stands: light and its colors, the colors of thin plates, or the questions at the end.
package main

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/seed-49005b45/tarn/data/opticks"
	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/fit"
	"github.com/seed-49005b45/tarn/predict"
)

// paragraphs returns the paragraphs of the book with at least 100 characters, and in which of its books each stands.
func paragraphs() (*table.Table, error) {
	book := ""
	var texts, books []string
	for p := range strings.SplitSeq(opticks.Text(), "\n\n") {
		p = strings.TrimSpace(p)
		for _, name := range []string{"FIRST", "SECOND", "THIRD"} {
			if strings.Contains(p, name+" BOOK") && len(p) < 100 {
				book = strings.ToLower(name)
			}
		}
		if book != "" && len(p) >= 100 {
			texts, books = append(texts, p), append(books, book)
		}
	}
	return table.New(table.Words("text", texts...), table.Words("book", books...))
}

// asked are sentences that Newton did not write.
var asked = []string{
	"A Prism in a dark Room casts the Spectrum of the Sun's Light on the Wall, red below and violet above.",
	"The Rings between two Object-glasses grow as one presses them, and the Thickness of the Plate of Air decides on the Color.",
	"Do not Bodies and Light act upon one another, and is not Heat a Motion of the Parts of Bodies by the Æther?",
}

func run(ctx context.Context) (*fit.Model, *predict.Answers, error) {
	t, err := paragraphs()
	if err != nil {
		return nil, nil, err
	}
	m, err := fit.Texts(ctx, t, fit.TextOptions{Target: "book"})
	if err != nil {
		return nil, nil, err
	}
	fmt.Printf("%d paragraphs, accuracy %.3f, always the commonest book %.3f\n", t.Rows(), m.About.Metrics["accuracy"], m.About.Baseline["accuracy"])
	rows, err := table.New(table.Words("text", asked...))
	if err != nil {
		return nil, nil, err
	}
	answers, err := m.Predict(ctx, rows)
	if err != nil {
		return nil, nil, err
	}
	for i, book := range answers.Labels {
		fmt.Printf("%s book, probabilities of %v %.2f: %s\n", book, answers.Classes, answers.Probabilities[i], asked[i])
	}
	return m, answers, nil
}

func main() {
	if _, _, err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
