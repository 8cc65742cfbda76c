package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/data/table"
	"github.com/seed-49005b45/tarn/fit"
)

// This file writes the model card (Mitchell et al. 2019, Model cards for model reporting): what a model is for, of what it was made, how good it is and where not.

// WriteCard writes the model card of a model and of its answers, in Markdown.
func (r *Report) WriteCard(w io.Writer) error {
	b := bufio.NewWriter(w)
	writeAbout(b, &r.About, r.Schema)
	if r.Linear == nil { // those are there already
		fmt.Fprintf(b, "\n## How good it is on %s\n\n", word(r.On))
		writeMetrics(b, &r.About, r.Evaluation.Metrics, r.Evaluation.Errors, r.Evaluation.Baseline, nil)
	}
	if len(r.Evaluation.PerClass) > 0 {
		fmt.Fprintf(b, "\n| class | rows | precision | recall | F1 |\n| --- | ---: | ---: | ---: | ---: |\n")
		for _, c := range r.Evaluation.PerClass {
			fmt.Fprintf(b, "| %s | %d | %s | %s | %s |\n", word(c.Name), c.Rows, number(c.Precision), number(c.Recall), number(c.F1))
		}
	}
	for _, s := range r.Slices {
		names := r.About.MetricNames()
		names = names[:min(3, len(names))]
		fmt.Fprintf(b, "\nBy %s:\n\n| %s | rows | %s |\n| --- | ---: |%s\n", word(s.Column), word(s.Column), strings.Join(names, " | "), strings.Repeat(" ---: |", len(names)))
		for _, one := range s.Slices {
			fmt.Fprintf(b, "| %s | %d |", word(one.Name), one.Rows)
			for _, name := range names {
				fmt.Fprintf(b, " %s |", metric(one.Metrics, one.Errors, name))
			}
			fmt.Fprintln(b)
		}
	}
	writeLimits(b, &r.About, r.Schema)
	return b.Flush()
}

// WriteCard writes the model card of a model, as far as the model itself knows it, in Markdown.
func WriteCard(w io.Writer, m *fit.Model) error {
	b := bufio.NewWriter(w)
	writeAbout(b, &m.About, m.Schema())
	writeLimits(b, &m.About, m.Schema())
	return b.Flush()
}

// word is a text that cannot be Markdown.
func word(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if s == "" {
		return "(empty)"
	}
	var b strings.Builder
	for _, c := range s {
		if strings.ContainsRune("\\`*_[]<>|#", c) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// metric shows a metric with its standard error.
func metric(metrics, errors map[string]float64, name string) string {
	v, there := metrics[name]
	if !there {
		return ""
	}
	if e := errors[name]; e > 0 {
		return number(v) + " ± " + number(e)
	}
	return number(v)
}

func writeMetrics(b *bufio.Writer, a *fit.About, metrics, errors, baseline, linear map[string]float64) {
	guess := "always the mean"
	if a.Task == fit.Classify {
		guess = "always the commonest class"
	}
	fmt.Fprintf(b, "| | model | %s |", guess)
	if linear != nil {
		fmt.Fprint(b, " linear model |")
	}
	fmt.Fprint(b, "\n| --- | ---: | ---: |")
	if linear != nil {
		fmt.Fprint(b, " ---: |")
	}
	fmt.Fprintln(b)
	for _, name := range a.MetricNames() {
		if _, there := metrics[name]; !there {
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s |", name, metric(metrics, errors, name), metric(baseline, nil, name))
		if linear != nil {
			fmt.Fprintf(b, " %s |", metric(linear, nil, name))
		}
		fmt.Fprintln(b)
	}
	fmt.Fprintln(b, "\nThe number behind ± is the standard error.")
}

func writeAbout(b *bufio.Writer, a *fit.About, s *table.Schema) {
	fmt.Fprintf(b, "# A model of %s\n\n", word(a.Target))
	columns := fmt.Sprintf("%d columns", len(s.Features()))
	if columns == "1 columns" {
		columns = "one column"
	}
	if a.Task == fit.Classify {
		fmt.Fprintf(b, "It tells which of %d classes a row belongs to, %s, with probabilities, from %s.\n", len(a.Classes), wordList(a.Classes), columns)
	} else {
		fmt.Fprintf(b, "It predicts a quantity from %s. 9 of 10 times the truth was within %s of the answer.\n", columns, number(a.Interval))
	}
	fmt.Fprintf(b, "\n## Of what it was made\n\n- rows: %d\n- split: %s\n", a.Rows, word(a.Split))
	if a.Source != "" {
		fmt.Fprintf(b, "- data: %s\n", word(a.Source))
	}
	fmt.Fprintf(b, "- SHA-256 of the values: `%s`\n- seed: %d\n", a.Digest, a.Seed)
	if a.Command != "" {
		fmt.Fprintf(b, "- command: `%s`\n", strings.ReplaceAll(a.Command, "`", "'"))
	}
	fmt.Fprintf(b, "- kind: %s\n", kind(a))
	if a.Task == fit.Classify && len(a.Classes) == 2 && a.Threshold != 0.5 {
		fmt.Fprintf(b, "- %s is chosen from a probability of %s on\n", word(a.Classes[1]), number(a.Threshold))
	}
	fmt.Fprintf(b, "\n| column | kind | role | why |\n| --- | --- | --- | --- |\n")
	for _, c := range s.Columns {
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", word(c.Name), c.Kind, c.Role, word(c.Why))
	}
	fmt.Fprintf(b, "\n## How good it is on rows that it has not learned from\n\n")
	writeMetrics(b, a, a.Metrics, a.Errors, a.Baseline, a.Linear)
	if means, errors := a.FoldMeans(); means != nil {
		var parts []string
		for _, name := range a.MetricNames() {
			if _, there := means[name]; there {
				parts = append(parts, name+" "+metric(means, errors, name))
			}
		}
		fmt.Fprintf(b, "\nMean over the %d folds, with its standard error: %s.\n", len(a.Folds), strings.Join(parts, ", "))
	}
	if len(a.Importance) > 0 {
		fmt.Fprintf(b, "\nHow much the loss rises if the values of a column are dealt out anew:\n\n| column | rise | spread |\n| --- | ---: | ---: |\n")
		for _, i := range a.Importance[:min(15, len(a.Importance))] {
			fmt.Fprintf(b, "| %s | %s | %s |\n", word(i.Column), number(i.Worse), number(i.Spread))
		}
	}
}

// kind says what answers.
func kind(a *fit.About) string {
	switch {
	case a.Share == 0:
		return "linear models"
	case a.Share == 1:
		return "networks"
	}
	return fmt.Sprintf("networks (%s of an answer) and linear models", percent(a.Share))
}

// wordList is a list of at most ten words.
func wordList(words []string) string {
	var out []string
	for _, w := range words[:min(10, len(words))] {
		out = append(out, word(w))
	}
	if len(words) > 10 {
		out = append(out, fmt.Sprintf("and %d more", len(words)-10))
	}
	return strings.Join(out, ", ")
}

func writeLimits(b *bufio.Writer, a *fit.About, s *table.Schema) {
	fmt.Fprintf(b, "\n## Limits\n\n")
	for _, n := range a.Notes {
		fmt.Fprintf(b, "- %s\n", word(n))
	}
	fmt.Fprintln(b, "- The figures hold for rows that come about as those of the training did. `tarn check FILE --model MODEL` tells whether later ones do.")
	fmt.Fprintln(b, "- What a column tells of the target is a correlation: a change of the column need not change the target.")
	if slices.ContainsFunc(s.Columns, func(c table.Description) bool { return c.Role == table.Feature && c.Kind == table.Category }) {
		fmt.Fprintln(b, "- A word that was never seen counts as unknown, and the answer says so.")
	}
	if a.Task == fit.Regress {
		fmt.Fprintln(b, "- Beyond the numbers that were learned from, an answer goes on along a line for a while.")
	}
}
