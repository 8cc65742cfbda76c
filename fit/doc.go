// Package fit makes a model of a table: it reads what the columns are, learns to predict one of them, judges itself by rows that it has not learned from, and
// is saved as one file that needs nothing else to answer.
//
//	t, err := table.Load("houses.csv", table.Options{})
//	m, err := fit.Table(ctx, t, fit.Options{Target: "price"})
//	err = m.Save("houses.tarn")
//	answers, err := m.Predict(ctx, later)
//
// # What it learns
//
// The rows are dealt into folds. For each fold two models learn from the other folds, and are judged on it: a linear one, with the penalty that the folds
// like best, and a network in the manner of TabM (Gorishniy et al. 2025), some multilayer perceptrons that share most of their weights, over numbers, a
// piecewise linear encoding of numbers (Gorishniy et al. 2022) and embeddings of categories, with a linear path beside them. Answers are means over the folds, of the
// linear models and of the networks, in the shares that were best for the rows that each had not seen. So no model is worse than the linear one without being
// found out, and all rows are learned from. The judgment that is reported comes from the same rows out of fold.
//
// Images, Texts and Series make models of pictures, of texts and of series, with one network each, in the same form: a picture is a cell of a table with its file in base64, and a
// row of a series whose target is missing is answered with a forecast from the rows before it.
//
// A table and a seed always give the same model, bit for bit: what is learned depends on the amount of work, and not on the time it takes.
package fit
