package train

import "github.com/seed-49005b45/tarn/watch"

// This file holds Logger, by which a training tells others what it does.

// Logger takes what a training reports, for a sink of your own: see Loop.Loggers. The methods are called one after the other, from the goroutine of
// Run, which waits for them. An error of Begin or Log ends the training; a logger that would rather lose lines returns nil.
type Logger interface {
	// Begin is called before the first run, and again if the training is resumed: the header then has the number of runs
	// that were completed, and what was logged of later ones has been undone.
	Begin(h watch.Header) error
	// Log takes a look, a histogram, the end of an epoch, a table of confused classes, a verdict or a failure: one field of the line is set. It keeps nothing
	// of the line, whose slices belong to the training.
	Log(l watch.Line) error
	// End is called once after Begin: err is why the training has ended, or nil after its last epoch.
	End(err error) error
}
