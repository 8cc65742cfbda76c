package onnx

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds what samples images between their elements. A change of size is linear in each axis, so it is a product with a matrix for each axis that changes.

func resizeOperators() {
	registerSet("Resize", []int{1, 2, 3}, func(c *call) []*value { return c.resize() })
	registerSet("Upsample", []int{1}, func(c *call) []*value {
		var scales []float64
		if c.has(1) {
			scales = c.known(1, "the scales").Floats()
		} else if a := c.attr("scales"); a != nil {
			for _, s := range a.floats {
				scales = append(scales, float64(s))
			}
		}
		r := resizing{mode: c.string("mode", "nearest"), transform: "asymmetric", nearest: "floor"}
		return c.same(c.resized(r, scales, nil, axesFrom(0, c.val(0).Rank()), nil))
	})
	register("GridSample", func(c *call) []*value {
		o := tarn.GridOptions{AlignCorners: c.int("align_corners", 0) != 0}
		switch mode := c.string("mode", "linear"); mode {
		case "linear", "bilinear":
		case "nearest":
			o.Mode = tarn.GridNearest
		case "cubic", "bicubic":
			o.Mode = tarn.GridCubic
		default:
			failf("the mode %q is not supported", mode)
		}
		switch mode := c.string("padding_mode", "zeros"); mode {
		case "zeros":
		case "border":
			o.Padding = tarn.GridBorder
		case "reflection":
			o.Padding = tarn.GridReflect
		default:
			failf("the padding %q is not supported", mode)
		}
		return c.same(c.val(0).ChannelsLast().GridSample(c.val(1), o).ChannelsFirst())
	})
	registerSet("AffineGrid", []int{1}, func(c *call) []*value {
		size := c.ints(1, "the size")
		if len(size) < 4 {
			failf("the size %v is not that of images", size)
		}
		return c.same(c.val(0).AffineGrid(c.int("align_corners", 0) != 0, size[2:]...))
	})
	registerSet("Col2Im", []int{1, 2}, func(c *call) []*value {
		x, space, size := c.val(0), c.ints(1, "the shape"), c.ints(2, "the window")
		w := c.window(space, size)
		places := make([]int, len(space))
		for i, d := range space {
			pad := 0
			if w.Padding != nil {
				pad = w.Padding[i] + w.PaddingAfter[i]
			}
			places[i] = (d+pad-(size[i]-1)*w.Dilation[i]-1)/w.Stride[i] + 1
		}
		taps := product(size)
		if taps < 1 || x.Rank() != 3 || x.Dim(1)%taps != 0 || product(places) != x.Dim(2) {
			failf("the shape %v does not fit a window %v over %v", x.Shape(), size, space)
		}
		n, ch := x.Dim(0), x.Dim(1)/taps
		y := x.Reshape(n, ch, taps, x.Dim(2)).Permute(0, 3, 2, 1).Reshape(slices.Concat([]int{n}, places, size, []int{ch})...)
		return c.same(y.Fold(space, size, w).ChannelsFirst())
	})
	registerSet("RoiAlign", []int{1, 2}, func(c *call) []*value { return c.roiAlign() })
}

// resizing says how an axis changes its size.
type resizing struct {
	mode, transform, nearest string
	cubic                    float64
	outside, antialias       bool // weights outside of the axis are left out; what shrinks is averaged
	beyond                   float64
}

func (c *call) resize() []*value {
	x := c.val(0)
	r := resizing{mode: c.string("mode", "nearest"), transform: c.string("coordinate_transformation_mode", "half_pixel"), nearest: c.string("nearest_mode", "round_prefer_floor"),
		cubic: c.float("cubic_coeff_a", -0.75), outside: c.int("exclude_outside", 0) != 0, antialias: c.int("antialias", 0) != 0, beyond: c.float("extrapolation_value", 0)}
	if c.version < 11 { // scales are the second operand, and elements lie as in Upsample
		r.transform, r.nearest = "asymmetric", "floor"
		return c.same(c.resized(r, c.known(1, "the scales").Floats(), nil, axesFrom(0, x.Rank()), nil))
	}
	axes := axesFrom(0, x.Rank())
	if list := c.numbers("axes"); list != nil {
		axes = axesOf(list, x.Rank())
	}
	var scales, roi []float64
	var sizes []int
	if c.has(1) {
		if t := c.known(1, "the region"); t.Size() > 0 {
			roi = t.Floats()
		}
	}
	if c.has(2) {
		if t := c.known(2, "the scales"); t.Size() > 0 {
			scales = t.Floats()
		}
	}
	if c.has(3) {
		sizes = c.ints(3, "the sizes")
	}
	if policy := c.string("keep_aspect_ratio_policy", "stretch"); policy != "stretch" && sizes != nil {
		factor := math.Inf(1)
		if policy == "not_smaller" {
			factor = math.Inf(-1)
		}
		for i, a := range axes {
			s := float64(sizes[i]) / float64(x.Dim(a))
			if policy == "not_smaller" {
				factor = max(factor, s)
			} else {
				factor = min(factor, s)
			}
		}
		scales = nil
		for i, a := range axes {
			sizes[i] = int(math.Floor(factor*float64(x.Dim(a)) + 0.5))
			scales = append(scales, factor)
		}
	}
	return c.same(c.resized(r, scales, sizes, axes, roi))
}

// resized gives axes other sizes.
func (c *call) resized(r resizing, scales []float64, sizes, axes []int, roi []float64) *tarn.Value {
	x := c.val(0)
	dtype := x.DType()
	if len(scales) == 0 && len(sizes) == 0 || len(scales) > 0 && len(scales) != len(axes) || len(sizes) > 0 && len(sizes) != len(axes) {
		failf("neither scales nor sizes fit %d axes", len(axes))
	}
	if !dtype.IsFloat() {
		x = x.Cast(tarn.F64)
	}
	if r.transform == "tf_crop_and_resize" && len(roi) != 2*len(axes) {
		failf("a region of %d numbers does not fit %d axes", len(roi), len(axes))
	}
	var beyond *tarn.Value
	for i, axis := range axes {
		d := x.Dim(axis)
		n, scale := 0, 0.0
		switch {
		case len(sizes) > 0:
			n = sizes[i]
			scale = float64(n) / float64(d)
			if len(scales) > 0 {
				scale = scales[i]
			}
		default:
			scale = scales[i]
			n = int(math.Floor(float64(d) * scale))
		}
		if n < 0 || n > 1<<24 || d == 0 || scale != scale {
			failf("the size %d of axis %d makes no sense", n, axis)
		}
		var region []float64
		if len(roi) > 0 {
			region = []float64{roi[i], roi[i+len(axes)]}
		}
		if n == d && scale == 1 && r.transform != "tf_crop_and_resize" {
			continue
		}
		weights := c.zeros(tarn.F64, []int{d, n})
		outside := make([]bool, n)
		some := false
		for k := range n {
			outside[k] = r.weights(func(j int, w float64) { weights.F64()[j*n+k] += w }, float64(k), scale, d, n, region)
			some = some || outside[k]
		}
		order := append(slices.DeleteFunc(axesFrom(0, x.Rank()), func(a int) bool { return a == axis }), axis)
		back := make([]int, len(order))
		for to, from := range order {
			back[from] = to
		}
		y := x.Permute(order...)
		shape := y.Shape()
		shape[len(shape)-1] = n
		x = y.Reshape(-1, d).MatMul(c.g.Const(weights.Cast(x.DType()))).Reshape(shape...).Permute(back...)
		if some {
			t := tarn.Zeros(tarn.Bool, n)
			copy(t.Bools(), outside)
			row := slices.Repeat([]int{1}, x.Rank())
			row[axis] = n
			m := c.g.Const(t).Reshape(row...)
			if beyond == nil {
				beyond = m
			} else {
				beyond = beyond.Or(m)
			}
		}
	}
	if beyond != nil {
		x = beyond.Where(x.Num(r.beyond), x)
	}
	if !dtype.IsFloat() {
		if r.mode == "nearest" {
			x = x.Round()
		}
		x = x.Cast(dtype)
	}
	return x
}

// weights adds the weights of the d elements of an axis for element k of n, and reports whether it lies beyond the axis.
func (r resizing) weights(add func(j int, w float64), k, scale float64, d, n int, roi []float64) (beyond bool) {
	length := scale * float64(d)
	var x float64
	switch r.transform {
	case "align_corners":
		if length != 1 {
			x = k * float64(d-1) / (length - 1)
		}
	case "asymmetric":
		x = k / scale
	case "tf_crop_and_resize":
		if length == 1 {
			x = (roi[1] - roi[0]) * float64(d-1) / 2
		} else {
			x = k * (roi[1] - roi[0]) * float64(d-1) / (length - 1)
		}
		x += roi[0] * float64(d-1)
		if x < 0 || x > float64(d-1) {
			add(0, 0)
			return true
		}
	case "pytorch_half_pixel":
		x = -0.5
		if length != 1 {
			x = (k+0.5)/scale - 0.5
		}
	case "half_pixel":
		x = (k+0.5)/scale - 0.5
	case "half_pixel_symmetric":
		center := float64(d) / 2
		x = center*(1-float64(n)/length) + (k+0.5)/scale - 0.5
	default:
		failf("the coordinates %q are not supported", r.transform)
	}
	low := math.Floor(x)
	inside := func(j int) int { return max(0, min(d-1, j)) }
	var f func(distance float64) float64
	reach := 1.0
	switch r.mode {
	case "nearest":
		ratio := x - low
		up := false
		switch r.nearest {
		case "round_prefer_floor":
			up = ratio > 0.5
		case "round_prefer_ceil":
			up = ratio >= 0.5
		case "ceil":
			up = ratio > 0
		case "floor":
		default:
			failf("rounding %q is not supported", r.nearest)
		}
		j := int(low)
		if up {
			j++
		}
		add(inside(j), 1)
		return false
	case "linear":
		f = func(t float64) float64 { return max(0, 1-math.Abs(t)) }
	case "cubic":
		reach = 2
		f = func(t float64) float64 {
			a, t := r.cubic, math.Abs(t)
			switch {
			case t <= 1:
				return ((a+2)*t-(a+3))*t*t + 1
			case t < 2:
				return ((a*t-5*a)*t+8*a)*t - 4*a
			}
			return 0
		}
	default:
		failf("the mode %q is not supported", r.mode)
	}
	squeeze := 1.0
	if r.antialias {
		squeeze = min(scale, 1)
	}
	sum := 0.0
	first, last := int(math.Floor(x-reach/squeeze)), int(math.Ceil(x+reach/squeeze))
	for j := first; j <= last; j++ {
		if !r.outside || j >= 0 && j < d {
			sum += f((float64(j) - x) * squeeze)
		}
	}
	for j := first; j <= last; j++ {
		if !r.outside || j >= 0 && j < d {
			add(inside(j), f((float64(j)-x)*squeeze)/sum)
		}
	}
	return false
}

// roiAlign pools regions of images, whose borders need be no elements, by bilinear interpolation.
func (c *call) roiAlign() []*value {
	x := c.val(0)
	rois, batch := c.known(1, "the regions"), c.ints(2, "the images of the regions")
	if x.Rank() != 4 || rois.Rank() != 2 || rois.Shape()[1] != 4 || len(batch) != rois.Shape()[0] {
		failf("the shapes %v and %v do not fit", x.Shape(), rois.Shape())
	}
	h, w := c.int("output_height", 1), c.int("output_width", 1)
	ratio, scale := c.int("sampling_ratio", 0), c.float("spatial_scale", 1)
	half := c.version >= 16 && c.string("coordinate_transformation_mode", "half_pixel") == "half_pixel"
	largest := c.string("mode", "avg") == "max"
	height, width := x.Dim(2), x.Dim(3)
	if h < 1 || w < 1 || h*w > 1<<20 {
		failf("regions of %d by %d make no sense", h, w)
	}
	flat := x.Reshape(x.Dim(0), x.Dim(1), height*width)
	var all []*tarn.Value
	for n, image := range batch {
		offset := 0.0
		if half {
			offset = 0.5
		}
		x0, y0 := rois.Float(4*n)*scale-offset, rois.Float(4*n+1)*scale-offset
		x1, y1 := rois.Float(4*n+2)*scale-offset, rois.Float(4*n+3)*scale-offset
		rw, rh := x1-x0, y1-y0
		if !half {
			rw, rh = max(rw, 1), max(rh, 1)
		}
		gh, gw := ratio, ratio
		if ratio <= 0 {
			gh, gw = int(math.Ceil(rh/float64(h))), int(math.Ceil(rw/float64(w)))
		}
		gh, gw = max(1, min(gh, 1<<10)), max(1, min(gw, 1<<10))
		// A weight for each of the four neighbors of each sample.
		per := 4 * gh * gw
		index, weight := make([]int64, h*w*per), c.zeros(x.DType(), []int{1, h * w * per})
		at := 0
		for i := range h * w {
			for s := range gh * gw {
				yy := y0 + float64(i/w)*rh/float64(h) + (float64(s/gw)+0.5)*rh/float64(h)/float64(gh)
				xx := x0 + float64(i%w)*rw/float64(w) + (float64(s%gw)+0.5)*rw/float64(w)/float64(gw)
				if yy < -1 || yy > float64(height) || xx < -1 || xx > float64(width) {
					at += 4
					continue
				}
				yy, xx = min(max(yy, 0), float64(height-1)), min(max(xx, 0), float64(width-1))
				yl, xl := int(yy), int(xx)
				yh, xh := min(yl+1, height-1), min(xl+1, width-1)
				ly, lx := yy-float64(yl), xx-float64(xl)
				for k, p := range [4][2]int{{yl, xl}, {yl, xh}, {yh, xl}, {yh, xh}} {
					index[at] = int64(p[0]*width + p[1])
					weight.SetFloat(at, [4]float64{(1 - ly) * (1 - lx), (1 - ly) * lx, ly * (1 - lx), ly * lx}[k])
					at++
				}
			}
		}
		picked := flat.Slice(0, image, image+1).Squeeze(0).Take(1, c.g.Const(tarn.Vector(index))).Mul(c.g.Const(weight))
		if largest {
			picked = picked.Reshape(x.Dim(1), h, w, per).Max(3)
		} else {
			picked = picked.Reshape(x.Dim(1), h, w, per).Sum(3).Scale(1 / float64(gh*gw))
		}
		all = append(all, picked)
	}
	return c.same(tarn.Stack(0, all...))
}
