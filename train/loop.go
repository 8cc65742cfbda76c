package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/watch"
)

// This file holds Loop, a whole training: epochs, evaluation, early stopping, log and checkpoints. What it does at any
// moment follows from its settings and its position alone, so that a training that goes on from a checkpoint ends with
// the same bits as one that was never interrupted.

// Loop is a training. NewLoop fills in the defaults; the fields are read when Run begins.
type Loop struct {
	Model     any   // or the *tarn.ParamSet of it
	Build     Build // gives "loss", and "prediction" where there are metrics
	Optimizer optim.Optimizer
	Train     data.Source // a *data.Set or a *data.Stream
	Valid     data.Source // evaluated after each epoch, with the averaged weights if the optimizer keeps such; nil for none

	Epochs   int
	Batch    int            // examples in a batch
	DropLast bool           // leave out the last short batch of each epoch, instead of a program of its own for it
	Seed     uint64         // of shuffling and of the random ops of the graph; the weights are those that tarn.Init gave
	Weighted *data.Weighted // draw the training examples of each epoch by weight; nil takes each once, in a random order
	Target   string         // the field of the data sets that metrics compare "prediction" with, unless they are bound by On
	Metrics  []Metric

	// Precision is that of the products, in training and validation: see tarn.Precision. The default is F32. A training resumes with the same.
	Precision tarn.Precision

	// SkipNonFinite lets the training go on after a run whose loss, gradient or new weights are not finite, as if its batch were not there.
	// Record.Skipped counts them. Without it such a run ends the training, and so does a validation loss that is not finite.
	SkipNonFinite bool

	// EarlyStopping watches the validation loss. When the training ends the model has the weights of the best epoch.
	EarlyStopping *EarlyStopping

	// Folder is where the training is logged and its checkpoints are kept; nil disables both. If it has a checkpoint, Run
	// resumes from it. Run locks the folder, and returns an error if someone else trains in it.
	Folder *Folder
	// CheckpointEvery is the number of runs between checkpoints within an epoch. There is one at the end of each epoch
	// in any case; 0 means only there.
	CheckpointEvery int
	// KeepCheckpoints is the number of checkpoints in the folder, at least 1: the newest and those before it, to which a
	// training falls back if the newest is damaged. NewLoop sets it to 2.
	KeepCheckpoints int

	// Watch says what is measured of the steps, which changes no bits of the training on the CPU: see package watch. The records go into the folder, as watch.FileName. NewLoop
	// sets it to the defaults; nil measures nothing.
	Watch *watch.Options

	// Shards, if it is not nil, spreads the training over the ranks of a communicator, each of which runs the same Loop. The ranks agree on everything that ends a
	// training: an error of one is the error of all, and if the context of one is canceled all end at the same step. Only rank 0 has the folder, the
	// records and the loggers; those of others are not used, and what rank 0 resumes from is sent to them. Validation is spread over the
	// ranks too. Run refuses ranks whose program, kernels, settings, data or weights differ from those of rank 0. Watch must be the same on all ranks; the records
	// say how long each rank computes and waits.
	Shards *Shards

	// Loggers are told what the training does, beside the folder.
	Loggers []Logger

	step    *Step
	eval    *Eval
	params  *tarn.ParamSet
	at      state
	history []Record
	best    map[string]*tarn.Tensor // the weights of the best epoch
	saves   bool                    // there is a folder, of rank 0
	whole   *tarn.ParamSet          // while ranks that have split their states begin: the states of all, on rank 0
	records *watch.File             // nil if nothing is written
	logging []Logger                // those that have begun
	watched watch.History           // what the file has, and what it would have
	rule    string                  // of the last judgment
	// nextJudgment is the number of looks at which the training is judged again.
	load         load
	nextJudgment int
	begun        time.Time // when this process began, or went on with, the epoch
	before       int       // examples of the epoch that an earlier process has taken
}

// NewLoop returns a training of 10 epochs in batches of 128, shuffled with seed 0, without validation or folder.
func NewLoop(build Build, model any, optimizer optim.Optimizer, set data.Source) *Loop {
	return &Loop{Model: model, Build: build, Optimizer: optimizer, Train: set, Epochs: 10, Batch: 128, Target: "label", KeepCheckpoints: 2, Watch: &watch.Options{}}
}

// Progress says where a training stands. It is valid until the next turn of the loop.
type Progress struct {
	Epoch, Epochs  int     // the epoch under way, from 1, and how many there are
	Batch, Batches int     // batches done in it, and how many there are; -1 if the source does not know
	Runs           int64   // runs completed
	Skipped        int     // batches of the epoch that were skipped: see Loop.SkipNonFinite
	Loss           float64 // of the last batch
	MeanLoss       float64 // over the epoch so far
	Rate           float64 // training examples a second in this epoch
	Record         *Record // at the end of an epoch: what is known of it
	// Verdict is set when the judgment of package doctor on the training has changed: it is the gravest of the faults that are
	// found, or has an empty Rule if nothing seems wrong any more. A training that ends with an error that is a
	// tarn.NonFiniteError is judged before.
	Verdict *watch.Verdict
}

// Run trains. An optimizer that has been used before goes on with its moments, its schedule and the number of its runs, in a second Run as in
// another loop: see Step. The epochs are counted anew, unless the folder has a checkpoint. The loop body is called after every batch, and once more at the end of each epoch with a Record. When the
// context is canceled a checkpoint of that moment is written to the folder and the context's error comes last. Breaking
// out of the loop writes none.
func (l *Loop) Run(ctx context.Context) iter.Seq2[*Progress, error] {
	return func(yield func(*Progress, error) bool) {
		if err := l.run(ctx, func(p *Progress) bool { return yield(p, nil) }); err != nil && err != errBreak {
			yield(nil, err)
		}
	}
}

// errBreak ends run when the user's loop was broken out of.
var errBreak = errors.New("train: the loop was broken out of")

func (l *Loop) run(ctx context.Context, show func(*Progress) bool) (err error) {
	if l.Shards == nil {
		return l.train(ctx, show)
	}
	t, err := l.Shards.join()
	if err != nil {
		return err
	}
	if t.comm.Rank() != 0 {
		folder, loggers := l.Folder, l.Loggers
		l.Folder, l.Loggers = nil, nil
		defer func() { l.Folder, l.Loggers = folder, loggers }()
	}
	err = l.train(ctx, show)
	// Nobody leaves before the others know why.
	left := t.meet(endMeeting, 0, err == errBreak, unlessBreak(err))
	if err == nil {
		return left
	}
	return err
}

// unlessBreak is nil for the error of a loop that was broken out of.
func unlessBreak(err error) error {
	if err == errBreak {
		return nil
	}
	return err
}

func (l *Loop) train(ctx context.Context, show func(*Progress) bool) (err error) {
	if l.Folder != nil {
		if err := l.Folder.Lock(); err != nil {
			return err
		}
		defer func() {
			if failed := l.Folder.Unlock(); err == nil {
				err = failed
			}
		}()
	}
	if err := l.begin(); err != nil {
		return err
	}
	defer func() {
		if failed := l.endWatch(err); failed != nil {
			err = errors.Join(err, failed)
		}
	}()
	if err := l.beginWatch(); err != nil {
		return err
	}
	for l.at.Position.Epoch < l.Epochs && !l.stopped() {
		if err := l.epoch(ctx, show); err != nil {
			var other interruptedError
			if l.saves && (canceled(ctx, err) || errors.As(err, &other)) {
				return l.interrupted(err)
			}
			return err
		}
	}
	return l.finish()
}

// History is the record of every epoch so far.
func (l *Loop) History() []Record { return slices.Clone(l.history) }

// check refuses settings that make no sense.
func (l *Loop) check() error {
	switch {
	case l.Build == nil:
		return errors.New("train: Build is nil; set the function that builds the loss")
	case none(l.Train) || l.Train.Len() == 0:
		return errors.New("train: the training set is nil or has no examples")
	case !none(l.Valid) && l.Valid.Len() == 0:
		return errors.New("train: the validation set has no examples; set Valid to nil to train without")
	case l.Epochs < 1:
		return fmt.Errorf("train: Epochs is %d and should be at least 1", l.Epochs)
	case l.Batch < 1:
		return fmt.Errorf("train: Batch is %d and should be at least 1", l.Batch)
	case l.CheckpointEvery < 0:
		return fmt.Errorf("train: CheckpointEvery is %d and should not be negative", l.CheckpointEvery)
	case l.KeepCheckpoints < 1 || l.KeepCheckpoints > maxCheckpoints:
		return fmt.Errorf("train: KeepCheckpoints is %d and should be from 1 to %d", l.KeepCheckpoints, maxCheckpoints)
	case l.EarlyStopping != nil && none(l.Valid):
		return errors.New("train: EarlyStopping needs a validation set: set Valid")
	case len(l.Metrics) > 0 && none(l.Valid):
		return errors.New("train: Metrics are measured on the validation set: set Valid")
	case l.EarlyStopping != nil && (l.EarlyStopping.Patience < 1 || !(l.EarlyStopping.MinDelta >= 0) || math.IsInf(l.EarlyStopping.MinDelta, 1)):
		return fmt.Errorf("train: EarlyStopping has Patience %d, which should be at least 1, and MinDelta %v, which should be finite and not negative", l.EarlyStopping.Patience, l.EarlyStopping.MinDelta)
	}
	if err := checkMetrics(l.Metrics); err != nil {
		return err
	}
	return l.batches().Err()
}

// none reports whether there is no source, or a set that is nil.
func none(s data.Source) bool {
	set, ok := s.(*data.Set)
	return s == nil || ok && set == nil
}

// size is the number of examples in a full batch.
func (l *Loop) size() int {
	if n := l.batches().Examples(); n >= 0 {
		return min(l.Batch, n)
	}
	return l.Batch
}

// batches deals the training set out from the position on.
func (l *Loop) batches() *data.Batches {
	o := data.Options{Shuffle: true, Weighted: l.Weighted, Seed: l.Seed, Start: l.at.Position}
	if l.Shards != nil && l.Shards.team != nil {
		o.Part = l.Shards.part()
	}
	if l.DropLast {
		o.Last = data.Drop
	}
	return l.Train.Batches(l.Batch, o)
}

// begin compiles, and goes on from the folder's checkpoint if it has one.
func (l *Loop) begin() (err error) {
	l.at = state{}
	if err := l.check(); err != nil {
		return err
	}
	if s := l.EarlyStopping; s != nil {
		*s = EarlyStopping{Patience: s.Patience, MinDelta: s.MinDelta}
	}
	l.at = state{Shards: l.shards(), Seed: l.Seed, Batch: l.Batch, DropLast: l.DropLast, Precision: l.Precision, Examples: l.Train.Len(), Weighted: weightedSum(l.Weighted), Early: l.EarlyStopping}
	l.history, l.best, l.before = nil, nil, 0
	if l.params, err = tarn.Params(l.Model); err != nil {
		return err
	}
	seeded := func(g *tarn.Graph, n int) tarn.Outputs {
		g.Seed(l.Seed)
		g.SetPrecision(l.Precision)
		return l.Build(g, n)
	}
	if l.step, err = NewStepOf(seeded, l.params, l.Optimizer); err != nil {
		return err
	}
	l.step.SkipNonFinite, l.step.Shards, l.step.Precision = l.SkipNonFinite, l.Shards, l.Precision
	if l.Watch != nil {
		if err := l.Watch.Check(); err != nil {
			return err
		}
		l.step.Watch = watch.New(*l.Watch)
	}
	if l.eval, err = NewEval(seeded); err != nil {
		return err
	}
	if err := l.step.Prepare(l.size()); err != nil {
		return err
	}
	l.at.First, l.at.Runs = l.step.Runs(), l.step.Runs()
	if l.step.counter != nil {
		l.at.Joined = l.step.counter.Joined()
	}
	if err := l.tryEvaluation(); err != nil {
		return err
	}
	l.saves = l.Folder != nil
	if l.Shards != nil {
		return l.beginRanks()
	}
	return l.beginFolder()
}

// beginFolder begins the training of the folder, if there is one, or resumes it.
func (l *Loop) beginFolder() error {
	if l.Folder == nil || len(l.Folder.checkpoints()) == 0 {
		if err := l.step.checkWeights(); err != nil { // and not only when the folder has a checkpoint of them
			return err
		}
	}
	if l.Folder != nil {
		if err := l.Folder.sweep(); err != nil {
			return err
		}
		if err := l.resume(); err != nil {
			return err
		}
		if l.at.Position.Epoch < l.Epochs && !l.stopped() {
			return l.Folder.remove(weightsFile) // the run is not finished, or not any more
		}
	}
	return nil
}

// tryEvaluation finds mistakes of the evaluation before the first epoch and not after it.
func (l *Loop) tryEvaluation() error {
	if none(l.Valid) {
		return nil
	}
	_, _, err := l.eval.measure(context.Background(), l.Valid, 1, 1, l.Target, l.Metrics)
	return err
}

// resume continues from the folder's checkpoint. A folder without anything of a run gets its first checkpoint, so that one
// that has other files and no checkpoint has lost it.
func (l *Loop) resume() error {
	if left := l.Folder.left(); len(l.Folder.checkpoints()) == 0 && len(left) > 0 {
		return fmt.Errorf("train: %s has no %s to resume from, but %s: put it back, or start over with RestartFolder (--restart on the command line), which deletes them",
			file.Name(l.Folder.Dir()), checkpointFile, strings.Join(left, ", "))
	} else if len(left) == 0 {
		if l.Folder.opened {
			l.Folder.report("%s has no checkpoint: the run begins", file.Name(l.Folder.Dir()))
		}
		l.begun = time.Now()
		states, err := l.states()
		if err != nil {
			return err
		}
		return l.writeCheckpoint(states)
	}
	states, err := l.states()
	if err != nil {
		return err
	}
	s, name, err := l.Folder.resume(l.params, states)
	if err != nil {
		return err
	}
	l.at = s
	if err := s.check(l); err != nil {
		return fmt.Errorf("train: the checkpoint %s: %w", file.Name(l.Folder.Path(name)), err)
	}
	if name != checkpointFile && s.Runs == s.First {
		return fmt.Errorf("train: %s has no %s that can be read, and %s is from before the first step: put it back, or start over with RestartFolder (--restart on the command line)",
			file.Name(l.Folder.Dir()), checkpointFile, name)
	}
	if s.Early != nil && l.EarlyStopping != nil {
		s.Early.Patience, s.Early.MinDelta = l.EarlyStopping.Patience, l.EarlyStopping.MinDelta
		*l.EarlyStopping = *s.Early
		if s.Early.Seen {
			if l.best, err = l.Folder.readBest(s.Early.BestEpoch); err != nil {
				return err
			}
		}
	}
	for i := l.KeepCheckpoints; i < maxCheckpoints; i++ { // those that an earlier process was told to keep
		if older := checkpointName(i); older != name && l.Folder.has(older) {
			if err := l.Folder.remove(older); err != nil {
				return err
			}
		}
	}
	if err := l.continueFrom(s); err != nil {
		return err
	}
	l.history, err = l.Folder.resumeLog(s.Position.Epoch, s.Last)
	return err
}

// states returns the optimizer's states with which the training begins: those of all ranks, if they have split them.
func (l *Loop) states() (*tarn.ParamSet, error) {
	if l.whole != nil {
		return l.whole, nil
	}
	return l.Optimizer.States()
}

// continueFrom makes the training be at s.
func (l *Loop) continueFrom(s state) error {
	s.Early = l.EarlyStopping
	l.at = s
	l.before = s.Count
	l.step.SetRuns(s.Runs)
	if len(s.Joined) > 0 && l.step.counter != nil {
		l.step.counter.SetJoined(s.Joined)
		l.step.programs = nil // which have been built without
		return l.step.Prepare(l.size())
	}
	return nil
}

// stopped reports whether early stopping has ended the training.
func (l *Loop) stopped() bool { return l.EarlyStopping != nil && l.EarlyStopping.Stop() }

// epoch goes from the position to the end of its epoch.
func (l *Loop) epoch(ctx context.Context, show func(*Progress) bool) error {
	l.begun = time.Now()
	batches := l.batches()
	taking := ctx
	if l.Shards != nil {
		taking = context.WithoutCancel(ctx) // the ranks are interrupted together, by the step
	} else {
		batches = batches.Prepared(l.step.ahead.upload)
	}
	p := Progress{Epoch: l.at.Position.Epoch + 1, Epochs: l.Epochs, Batches: batches.PerEpoch()}
	for b, err := range batches.Epoch(taking, l.at.Position.Epoch) {
		if err != nil {
			return err
		}
		r, err := l.step.take(ctx, b, b.N)
		if err != nil {
			return l.failed(err, &p, show)
		}
		l.at.Position = data.Position{Epoch: b.Position.Epoch, Batch: b.Position.Batch + 1}
		p.Verdict = nil
		if r.Skipped {
			l.at.Skipped++
			l.at.SkippedInEpoch++
		} else {
			l.at.Runs = r.Run
			l.at.add(r.Loss, r.Count)
			l.at.Count += b.N
			if p.Verdict, err = l.record(r, b.Position); err != nil {
				return err
			}
		}
		if l.saves && l.CheckpointEvery > 0 && !r.Skipped && r.Run%int64(l.CheckpointEvery) == 0 {
			if err := l.checkpoint(); err != nil {
				return err
			}
		}
		p.Batch, p.Runs, p.Loss, p.MeanLoss, p.Rate, p.Skipped = l.at.Position.Batch, r.Run, r.Loss, l.at.meanLoss(), l.rate(), l.at.SkippedInEpoch
		if !show(&p) {
			return errBreak
		}
	}
	if n := l.at.Position.Batch; l.at.SkippedInEpoch == n {
		return fmt.Errorf("train: no run of epoch %d was finite, and all its %d batches were skipped; without SkipNonFinite the error says where the first infinity or NaN comes from", p.Epoch, n)
	}
	record, err := l.endEpoch(ctx)
	if err != nil {
		return l.failed(err, &p, show)
	}
	if p.Verdict, err = l.judge(); err != nil {
		return err
	}
	p.Batch, p.Runs, p.MeanLoss, p.Record = p.Batches, l.at.Runs, record.TrainLoss, &record
	if !show(&p) {
		return errBreak
	}
	return nil
}

// shards describes what of Shards the bits of a training depend on.
func (l *Loop) shards() string {
	switch {
	case l.Shards == nil:
		return ""
	case l.Shards.Fast:
		return fmt.Sprintf("%d, summed in any order", l.Shards.number())
	}
	return fmt.Sprint(l.Shards.number())
}

// rate is the number of training examples a second that this process took in this epoch.
func (l *Loop) rate() float64 {
	return float64(l.at.Count-l.before) / time.Since(l.begun).Seconds()
}

// endEpoch evaluates, logs the epoch and writes the checkpoint from which the next one starts. The log comes first: what
// a crash between the two leaves in it is taken back when the training goes on, as an epoch that was not finished.
func (l *Loop) endEpoch(ctx context.Context) (Record, error) {
	rate := l.rate()
	r := Record{Epoch: l.at.Position.Epoch + 1, Step: l.at.Runs, TrainLoss: l.at.meanLoss(), ValLoss: math.NaN(), LR: math.NaN(), Rate: rate, Skipped: l.at.SkippedInEpoch}
	var err error
	metrics, confused := l.metrics()
	if !none(l.Valid) {
		err = l.step.withAverages(func() (err error) {
			m, _, err := l.eval.measure(ctx, l.Valid, l.Batch, 0, l.Target, metrics)
			r.ValLoss = m.value()
			if err == nil && !finite(r.ValLoss) && m.count != 0 && !l.SkipNonFinite {
				err = l.eval.explain(ctx, l.Valid, l.Batch)
			}
			return err
		})
		if err != nil {
			return r, err
		}
		r.Metrics = map[string]float64{}
		for _, m := range l.Metrics {
			r.Metrics[m.Name()] = m.Value()
		}
	}
	if rater, ok := l.Optimizer.(optim.Rater); ok {
		if r.LR, err = rater.RateAt(l.at.Runs - 1); err != nil {
			return r, err
		}
	}
	if observer, ok := l.Optimizer.(optim.Observer); ok && !none(l.Valid) {
		observer.Observe(r.ValLoss)
	}
	r.Seconds = l.at.Seconds + time.Since(l.begun).Seconds()
	if l.EarlyStopping != nil && l.EarlyStopping.Observe(r.Epoch, r.ValLoss) {
		if l.best, err = l.weights(); err != nil {
			return r, err
		}
		if l.Folder != nil {
			if err := l.Folder.writeWeights(bestFile, r.Epoch, l.best); err != nil {
				return r, err
			}
		}
	}
	l.history = append(l.history, r)
	if err := l.recordEpoch(r, confused); err != nil {
		return r, err
	}
	l.at.Position = data.Position{Epoch: r.Epoch}
	l.at.LossSum, l.at.Counted, l.at.Count, l.at.SkippedInEpoch, l.at.Seconds, l.at.Last, l.before = 0, 0, 0, 0, 0, &r, 0
	l.begun = time.Now()
	if l.Folder != nil {
		if err := l.Folder.appendLog(r); err != nil {
			return r, err
		}
	}
	if !l.saves {
		return r, nil
	}
	return r, l.checkpoint()
}

// checkpoint writes where the training stands. Ranks that have no folder take part, because they may have some of the states.
func (l *Loop) checkpoint() error {
	states, err := l.step.wholeStates()
	if err != nil || l.Folder == nil {
		return err
	}
	return l.writeCheckpoint(states)
}

func (l *Loop) writeCheckpoint(states *tarn.ParamSet) error {
	s := l.at
	s.Seconds += time.Since(l.begun).Seconds()
	return l.Folder.writeCheckpoint(s, l.params, states, l.KeepCheckpoints)
}

// interrupted writes a checkpoint of the moment when the context ended.
func (l *Loop) interrupted(cause error) error {
	if err := l.checkpoint(); err != nil {
		return errors.Join(cause, err)
	}
	if l.Folder == nil {
		return cause
	}
	return fmt.Errorf("train: interrupted in epoch %d after %d batches, checkpoint written to %s: %w", l.at.Position.Epoch+1, l.at.Position.Batch, file.Name(l.Folder.Dir()), cause)
}

// weights copies the weights that evaluations use: those of the params, or averages that the optimizer keeps.
func (l *Loop) weights() (map[string]*tarn.Tensor, error) {
	weights := map[string]*tarn.Tensor{}
	err := l.step.withAverages(func() error {
		for name, p := range l.params.All() {
			weights[name] = p.Tensor().Clone()
		}
		return nil
	})
	return weights, err
}

// finish leaves the model with its final weights, and in the folder too.
func (l *Loop) finish() error {
	weights, err := l.weights()
	if err != nil {
		return err
	}
	if s := l.EarlyStopping; s != nil && s.Seen {
		if weights = l.best; weights == nil {
			return fmt.Errorf("train: the weights of the best epoch, %d, are not in %s any more", s.BestEpoch, file.Name(l.Folder.Path(bestFile)))
		}
	}
	if err := optim.TakeAverages(l.Optimizer); err != nil { // so that another training goes on with the weights that it replaces
		return err
	}
	for name, p := range l.params.All() {
		if err := p.Set(weights[name]); err != nil {
			return err
		}
	}
	if l.Folder == nil {
		return nil
	}
	return l.Folder.writeWeights(weightsFile, l.at.Position.Epoch, weights)
}
