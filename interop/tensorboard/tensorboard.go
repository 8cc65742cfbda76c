// Package tensorboard writes event files for TensorBoard: scalars, histograms, images, texts, and hyperparameters.
//
//	w, err := tensorboard.Create("runs/first")
//	...
//	err = w.Scalar("loss/train", step, loss)
//	...
//	err = w.Close()
//
// TensorBoard's event_file_writer.py, record_writer.py and its protocol buffers (event.proto, summary.proto, tensor.proto
// and the hparams plugin's api.proto and plugin_data.proto) define the format.
package tensorboard

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// This file holds Writer, which turns what is logged into events and appends them to a file.

// Writer appends events to a stream. It is safe for use by several goroutines. After a failed write every call returns
// that error.
type Writer struct {
	// Now returns the time that an event is stamped with; time.Now unless set.
	Now func() time.Time

	mu     sync.Mutex
	buffer *bufio.Writer
	closer io.Closer // nil if the stream is the caller's
	begun  bool
	err    error
}

// files counts the event files of this process, whose names must differ.
var files atomic.Int64

// Create makes a new event file in a directory, which it creates if needed, and returns a Writer to it. TensorBoard shows
// each directory with event files as one run. The caller must Close the Writer.
func Create(dir string) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("tensorboard: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	name := fmt.Sprintf("events.out.tfevents.%d.%s.%d.%d", time.Now().Unix(), host, os.Getpid(), files.Add(1)-1)
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, fmt.Errorf("tensorboard: %w", err)
	}
	w := NewWriter(f)
	w.closer = f
	return w, nil
}

// NewWriter returns a Writer that appends events to out. Close flushes it and leaves out open.
func NewWriter(out io.Writer) *Writer {
	return &Writer{Now: time.Now, buffer: bufio.NewWriter(out)}
}

// Scalar records a number under a tag, such as "loss/train". TensorBoard groups tags by what stands before the slash.
func (w *Writer) Scalar(tag string, step int64, x float64) error {
	return w.summary(tag, step, floatValue(x))
}

// Histogram records the distribution of values under a tag. Values that are not finite are an error, since TensorBoard
// cannot show them.
func (w *Writer) Histogram(tag string, step int64, values []float64) error {
	h, err := histogramOf(values)
	if err != nil {
		return fmt.Errorf("tensorboard: histogram %q: %w", tag, err)
	}
	return w.summary(tag, step, histogramValue(h))
}

// Buckets records a distribution that has been counted under a tag: counts[i] values lie between limits[i] and limits[i+1]. Limits rise and are
// finite. TensorBoard shows as sum what there is if values lie in the middle of their buckets.
func (w *Writer) Buckets(tag string, step int64, limits []float64, counts []int) error {
	if len(counts) == 0 || len(limits) != len(counts)+1 {
		return fmt.Errorf("tensorboard: histogram %q: there are %d counts and %d limits; there should be one limit more than counts, and at least one count", tag, len(counts), len(limits))
	}
	h := histogram{min: limits[0], max: limits[len(counts)], limits: slices.Clone(limits[1:])}
	for i, n := range counts {
		low, high := limits[i], limits[i+1]
		if !(low <= high) || math.IsInf(low, 0) || math.IsInf(high, 0) || n < 0 {
			return fmt.Errorf("tensorboard: histogram %q: bucket %d has %d values from %v to %v", tag, i, n, low, high)
		}
		middle := low + (high-low)/2
		h.num += float64(n)
		h.sum += float64(n) * middle
		h.squares += float64(n) * middle * middle
		h.counts = append(h.counts, float64(n))
	}
	return w.summary(tag, step, histogramValue(h))
}

// Image records a picture under a tag, as PNG.
func (w *Writer) Image(tag string, step int64, picture image.Image) error {
	if picture == nil || picture.Bounds().Empty() {
		return fmt.Errorf("tensorboard: image %q is empty", tag)
	}
	var file bytes.Buffer
	if err := png.Encode(&file, picture); err != nil {
		return fmt.Errorf("tensorboard: image %q: %w", tag, err)
	}
	size := picture.Bounds().Size()
	return w.summary(tag, step, imageValue(size.X, size.Y, file.Bytes()))
}

// Text records a text under a tag, which TensorBoard renders as Markdown.
func (w *Writer) Text(tag string, step int64, markdown string) error {
	return w.summary(tag, step, textValue(markdown))
}

// HParams records the hyperparameters of the run and the tags of the scalars by which runs are compared. A
// hyperparameter is a string, a bool, or a number of any of Go's types. Call it once, before the first scalar.
func (w *Writer) HParams(hparams map[string]any, metrics ...string) error {
	experiment, session, err := hparamsValues(hparams, metrics, seconds(w.Now()))
	if err != nil {
		return err
	}
	return errors.Join(
		w.summary("_hparams_/experiment", 0, experiment),
		w.summary("_hparams_/session_start_info", 0, session))
}

// End records that the run has ended, for the table of hyperparameters. Call it only after HParams.
func (w *Writer) End(success bool) error {
	return w.summary("_hparams_/session_end_info", 0, endValue(success, seconds(w.Now())))
}

// Resume records that a run which earlier files of the directory tell of continues at a step. TensorBoard drops what these files have of
// this step and of later ones. Call it before the first value.
func (w *Writer) Resume(step int64) error {
	return w.event(func(now float64) message { return startEvent(now, step) })
}

// summary appends an event with one value.
func (w *Writer) summary(tag string, step int64, value []byte) error {
	if tag == "" {
		return errors.New("tensorboard: the tag is empty")
	}
	return w.event(func(now float64) message { return summaryEvent(now, step, tag, value) })
}

// event appends an event of the present time.
func (w *Writer) event(make func(now float64) message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := seconds(w.Now())
	if !w.begun {
		w.begun = true
		w.append(versionEvent(now))
	}
	w.append(make(now))
	return w.err
}

// append writes one record.
func (w *Writer) append(event []byte) {
	if w.err != nil {
		return
	}
	if err := writeRecord(w.buffer, event); err != nil {
		w.err = fmt.Errorf("tensorboard: %w", err)
	}
}

// Flush hands all events to the stream, so that a running TensorBoard shows them.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flush()
}

func (w *Writer) flush() error {
	if w.err == nil {
		if err := w.buffer.Flush(); err != nil {
			w.err = fmt.Errorf("tensorboard: %w", err)
		}
	}
	return w.err
}

// Close flushes the events and closes the file that Create made. Later calls return an error.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.flush()
	if w.closer != nil {
		if e := w.closer.Close(); e != nil && err == nil {
			err = fmt.Errorf("tensorboard: %w", e)
		}
	}
	if w.err == nil {
		w.err = errors.New("tensorboard: the writer is closed")
	}
	return err
}

// seconds is t as TensorBoard counts time: seconds since 1970.
func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// histogram is a distribution in buckets: counts[i] values lie in (limits[i-1], limits[i]].
type histogram struct {
	min, max, num, sum, squares float64
	limits, counts              []float64
}

// histogramOf sorts values into the buckets of TensorBoard: limits grow by a tenth from 1e-12 on, to both sides of zero.
func histogramOf(values []float64) (histogram, error) {
	if len(values) == 0 {
		return histogram{}, errors.New("there are no values")
	}
	h := histogram{min: math.Inf(1), max: math.Inf(-1), num: float64(len(values))}
	counts := make([]float64, len(bucketLimits()))
	for i, x := range values {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return histogram{}, fmt.Errorf("value %d is %v", i, x)
		}
		h.min, h.max = min(h.min, x), max(h.max, x)
		h.sum += x
		h.squares += x * x
		counts[bucketOf(x)]++
	}
	first, last := bucketOf(h.min), bucketOf(h.max)
	h.limits, h.counts = bucketLimits()[first:last+1], counts[first:last+1]
	return h, nil
}
