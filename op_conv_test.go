package tarn_test

import "github.com/seed-49005b45/tarn"

// The cases of convolutions.

func conv(form string, o tarn.ConvOptions, shapes ...[][]int) opCase {
	return pairwise("Conv", func(v *tarn.Value, k tarn.Operand) *tarn.Value { return v.Conv(k, o) }, between(-2, 2), between(-2, 2)).
		as(form).with(shapes...).within(10)
}

func convTranspose(form string, o tarn.ConvOptions, shapes ...[][]int) opCase {
	return pairwise("ConvTranspose", func(v *tarn.Value, k tarn.Operand) *tarn.Value { return v.ConvTranspose(k, o) }, between(-2, 2), between(-2, 2)).
		as(form).with(shapes...).within(10)
}

func moved(w tarn.Window) tarn.ConvOptions { return tarn.ConvOptions{Window: w} }

func ints(n ...int) []int { return n }

var _ = register(
	conv("1d", tarn.ConvOptions{}, [][]int{{2, 7, 3}, {3, 3, 2}}, [][]int{{1, 1, 1}, {1, 1, 1}}, [][]int{{0, 4, 2}, {2, 2, 3}}, [][]int{{1, 4, 0}, {2, 0, 3}}, [][]int{{1, 3, 2}, {2, 2, 0}}),
	conv("2d", tarn.ConvOptions{}, [][]int{{2, 4, 5, 2}, {3, 2, 2, 3}}, [][]int{{1, 3, 3, 1}, {1, 1, 1, 2}}, [][]int{{1, 3, 3, 1}, {3, 3, 1, 1}}),
	conv("3d", tarn.ConvOptions{}, [][]int{{1, 3, 3, 4, 2}, {2, 2, 2, 2, 2}}),
	conv("padded", moved(tarn.Window{Padding: ints(1)}), [][]int{{1, 4, 3, 2}, {3, 3, 2, 3}}, [][]int{{1, 1, 1, 1}, {3, 3, 1, 1}}),
	conv("padded unevenly", moved(tarn.Window{Padding: ints(1, 0), PaddingAfter: ints(0, 2)}), [][]int{{1, 4, 3, 2}, {2, 3, 2, 2}}),
	conv("padded far", moved(tarn.Window{Padding: ints(3)}), [][]int{{1, 2, 2}, {2, 2, 1}}),
	conv("same", moved(tarn.Window{Same: true}), [][]int{{1, 5, 4, 1}, {3, 2, 1, 2}}),
	conv("same strided", moved(tarn.Window{Same: true, Stride: ints(2, 3)}), [][]int{{1, 5, 4, 1}, {3, 2, 1, 2}}),
	conv("strided", moved(tarn.Window{Stride: ints(2)}), [][]int{{1, 6, 5, 2}, {3, 2, 2, 2}}, [][]int{{2, 5, 5, 2}, {1, 1, 2, 3}}),
	conv("strided and padded", moved(tarn.Window{Stride: ints(2, 3), Padding: ints(1)}), [][]int{{1, 6, 7, 2}, {3, 3, 2, 2}}, [][]int{{1, 5, 5, 1}, {2, 4, 1, 2}}),
	conv("dilated", moved(tarn.Window{Dilation: ints(2, 3)}), [][]int{{1, 6, 8, 2}, {3, 2, 2, 2}}),
	conv("all", moved(tarn.Window{Dilation: ints(2), Stride: ints(3, 2), Padding: ints(2), PaddingAfter: ints(1)}), [][]int{{1, 6, 7, 2}, {3, 2, 2, 2}}, [][]int{{1, 5, 6, 2}, {2, 3, 2, 2}}),
	conv("groups", tarn.ConvOptions{Groups: 2}, [][]int{{1, 4, 3, 4}, {2, 2, 2, 6}}),
	conv("groups padded", tarn.ConvOptions{Groups: 3, Window: tarn.Window{Padding: ints(1), Stride: ints(2)}}, [][]int{{1, 4, 3, 6}, {3, 3, 2, 3}}),
	conv("depthwise", tarn.ConvOptions{Groups: 3, Window: tarn.Window{Padding: ints(1)}}, [][]int{{2, 4, 3, 3}, {3, 3, 1, 3}}, [][]int{{1, 4, 3, 3}, {2, 1, 1, 6}}),
	conv("depthwise strided", tarn.ConvOptions{Groups: 2, Window: tarn.Window{Stride: ints(2), Padding: ints(1), Dilation: ints(2)}}, [][]int{{1, 6, 5, 2}, {3, 2, 1, 2}}),

	convTranspose("1d", tarn.ConvOptions{}, [][]int{{2, 4, 3}, {3, 2, 3}}, [][]int{{0, 4, 2}, {2, 3, 2}}),
	convTranspose("2d", moved(tarn.Window{Stride: ints(2), Padding: ints(1)}), [][]int{{1, 3, 3, 2}, {3, 2, 3, 2}}),
	convTranspose("3d", moved(tarn.Window{Stride: ints(2)}), [][]int{{1, 2, 1, 2, 2}, {2, 2, 2, 2, 2}}),
	convTranspose("extra", tarn.ConvOptions{Window: tarn.Window{Stride: ints(3, 2), Padding: ints(1)}, Extra: ints(2, 1)}, [][]int{{1, 3, 2, 2}, {3, 3, 1, 2}}),
	convTranspose("dilated in groups", tarn.ConvOptions{Window: tarn.Window{Dilation: ints(2), PaddingAfter: ints(1)}, Groups: 2}, [][]int{{1, 3, 2, 4}, {2, 2, 3, 4}}),
	convTranspose("gaps", moved(tarn.Window{Stride: ints(3)}), [][]int{{1, 3, 2, 1}, {2, 1, 2, 1}}),

	elementwise("ChannelsLast", (*tarn.Value).ChannelsLast, between(-1, 1)).of(allTypes...).with([][]int{{2, 3, 4, 5}}, [][]int{{2, 3}}, [][]int{{0, 3, 2}}),
	elementwise("ChannelsFirst", (*tarn.Value).ChannelsFirst, between(-1, 1)).of(allTypes...).with([][]int{{2, 3, 4, 5}}, [][]int{{2, 3}}, [][]int{{0, 3, 2}}),
	elementwise("KernelFromTorch", (*tarn.Value).KernelFromTorch, between(-1, 1)).of(allTypes...).with([][]int{{2, 3, 4, 5}}, [][]int{{2, 3, 1}}),
)

func refusedConv(o tarn.ConvOptions, want string, in ...tensorType) refusal {
	return refused("Conv", func(in ...*tarn.Value) *tarn.Value { return in[0].Conv(in[1], o) }, want, in...)
}

func refusedTranspose(o tarn.ConvOptions, want string, in ...tensorType) refusal {
	return refused("ConvTranspose", func(in ...*tarn.Value) *tarn.Value { return in[0].ConvTranspose(in[1], o) }, want, in...)
}

var _ = refuse(
	refusedConv(tarn.ConvOptions{}, "1 channels, its last axis, and the kernel [3 3 3 8] takes 3", f32(2, 8, 8, 1), f32(3, 3, 3, 8)),
	refusedConv(tarn.ConvOptions{}, "ChannelsLast moves the second axis", f32(2, 3, 8, 8), f32(3, 3, 3, 8)),
	refusedConv(tarn.ConvOptions{}, "reaches over 9 elements of spatial axis 1, which has 8 with its padding", f32(2, 8, 8, 3), f32(3, 9, 3, 8)),
	refusedConv(tarn.ConvOptions{Groups: 3}, "which 3 groups do not divide", f32(2, 8, 8, 3), f32(3, 3, 1, 8)),
	refusedConv(tarn.ConvOptions{Groups: -1}, "there are -1 groups", f32(2, 8, 8, 3), f32(3, 3, 1, 8)),
	refusedConv(tarn.ConvOptions{}, "should have a batch axis, one to three spatial axes", f32(2, 8), f32(3, 8)),
	refusedConv(tarn.ConvOptions{}, "both should have the same number of axes", f32(2, 8, 8, 3), f32(3, 3, 8)),
	refusedConv(tarn.ConvOptions{}, "operands are f32 and f64", f32(2, 8, 3), f64(3, 3, 8)),
	refusedConv(tarn.ConvOptions{}, "the operand is i32 and should be f32 or f64", i32(2, 8, 3), i32(3, 3, 8)),
	refusedConv(moved(tarn.Window{Stride: ints(0)}), "the stride [0 0] should be at least 1", f32(2, 8, 8, 3), f32(3, 3, 3, 8)),
	refusedConv(moved(tarn.Window{Stride: ints(1, 2, 3)}), "the stride [1 2 3] has 3 numbers for 2 spatial axes", f32(2, 8, 8, 3), f32(3, 3, 3, 8)),
	refusedConv(moved(tarn.Window{Padding: ints(-1)}), "the padding [-1 -1] should be at least 0", f32(2, 8, 8, 3), f32(3, 3, 3, 8)),
	refusedConv(moved(tarn.Window{Same: true, Padding: ints(1)}), "set Same or Padding", f32(2, 8, 8, 3), f32(3, 3, 3, 8)),
	refusedConv(moved(tarn.Window{Ceil: true}), "Ceil is an option of pooling", f32(2, 8, 8, 3), f32(3, 3, 3, 8)),
	refusedConv(tarn.ConvOptions{Extra: ints(1)}, "Extra is an option of ConvTranspose", f32(2, 8, 8, 3), f32(3, 3, 3, 8)),
	refusedConv(tarn.ConvOptions{}, "the window [0 3] has size 0 at axis 0", f32(2, 8, 8, 3), f32(0, 3, 3, 8)),

	refusedTranspose(tarn.ConvOptions{}, "has 3 channels, its last axis, and the kernel [3 3 3 8] takes 8", f32(2, 8, 8, 3), f32(3, 3, 3, 8)),
	refusedTranspose(tarn.ConvOptions{Extra: ints(1)}, "the extra 1 of spatial axis 0 should be less than the stride 1", f32(2, 8, 8, 8), f32(3, 3, 3, 8)),
	refusedTranspose(moved(tarn.Window{Padding: ints(2)}), "the result would have size -1 at spatial axis 0", f32(2, 1, 8), f32(3, 3, 8)),
	refusedTranspose(moved(tarn.Window{Same: true}), "takes its padding from Padding and PaddingAfter", f32(2, 8, 8), f32(3, 3, 8)),
	refusedTranspose(tarn.ConvOptions{}, "no elements along spatial axis 0", f32(2, 0, 8), f32(3, 3, 8)),
	refusedTranspose(tarn.ConvOptions{Groups: 3}, "which 3 groups do not divide", f32(2, 8, 8), f32(3, 3, 8)),

	unaryRefusal("ChannelsLast", (*tarn.Value).ChannelsLast, f32(2), "needs a batch axis and a channel axis"),
	unaryRefusal("ChannelsFirst", (*tarn.Value).ChannelsFirst, f32(2), "needs a batch axis and a channel axis"),
	unaryRefusal("KernelFromTorch", (*tarn.Value).KernelFromTorch, f32(2, 3), "at least three axes"),
)
