package predict

import "strconv"

// This file shows answers as records of CSV.

// Header returns the names of the columns of Record: prediction, then p_CLASS for each class, or low and high.
func Header(a *Answers) []string {
	names := []string{"prediction"}
	for _, c := range a.Classes {
		names = append(names, "p_"+c)
	}
	if a.Low != nil {
		names = append(names, "low", "high")
	}
	return names
}

// Record returns the answer about a row as texts, in the order of Header. Numbers have as many digits as it takes to read the same number again.
func Record(a *Answers, row int) []string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	var out []string
	if a.Labels != nil {
		out = append(out, a.Labels[row])
		for _, p := range a.Probabilities[row] {
			out = append(out, number(p))
		}
	} else {
		out = append(out, number(a.Values[row]))
	}
	if a.Low != nil {
		out = append(out, number(a.Low[row]), number(a.High[row]))
	}
	return out
}
