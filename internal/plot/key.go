package plot

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// This file holds keys: names with their looks beside a chart, for where a legend in it would cover too much.

// key draws names in columns. It takes part in a plot without axes.
type key struct {
	names []string
	looks []plot.Thumbnailer
	style text.Style
}

// The sizes in a key.
const (
	keyRow   = 15 // height of a row
	keyLook  = 28 // width of a line
	keySpace = 6  // between line and name, and twice that between columns

	keyMargin = 30 // above and below, where it stands beside charts
)

// newKey names lines by their styles.
func newKey(lines []Line) *key {
	k := &key{style: newPlot("", "", "").Legend.TextStyle}
	k.style.YAlign = draw.YCenter
	for i, l := range lines {
		k.add(l.Name, &plotter.Line{LineStyle: style(i)})
	}
	return k
}

// add adds a name.
func (k *key) add(name string, look plot.Thumbnailer) {
	k.names, k.looks = append(k.names, name), append(k.looks, look)
}

// column is the width of a column.
func (k *key) column() vg.Length {
	longest := vg.Length(0)
	for _, name := range k.names {
		longest = max(longest, k.style.Width(name))
	}
	return keyLook + keySpace + longest + 2*keySpace
}

// width is that of as many columns as the names need at a height.
func (k *key) width(height vg.Length) vg.Length {
	rows := max(1, int(height/keyRow))
	return vg.Length((len(k.names)+rows-1)/rows) * k.column()
}

// plot is the key as a cell of its own.
func (k *key) plot() *plot.Plot {
	p := newPlot("", "", "")
	p.HideAxes()
	p.Add(k)
	return p
}

// Plot draws the names, down the columns.
func (k *key) Plot(c draw.Canvas, _ *plot.Plot) {
	rows := max(1, int((c.Max.Y-c.Min.Y)/keyRow))
	for i, name := range k.names {
		left := c.Min.X + vg.Length(i/rows)*k.column()
		top := c.Max.Y - vg.Length(i%rows)*keyRow
		look := draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{Min: vg.Point{X: left, Y: top - keyRow}, Max: vg.Point{X: left + keyLook, Y: top}}}
		k.looks[i].Thumbnail(&look)
		c.FillText(k.style, vg.Point{X: left + keyLook + keySpace, Y: top - keyRow/2}, name)
	}
}
