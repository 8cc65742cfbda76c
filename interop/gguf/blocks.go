package gguf

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/half"
)

// This file holds the formats of elements. Quantized ones are blocks: a scale d as binary16 and small integers, so that an element is
// d*q, or d*q + m with a least value m. In the K formats a block of 256 has scales for each 16 or 32 elements, which are integers with a
// scale of their own. Products are rounded before sums, so that the bits are the same on every processor.

// format is a type of elements.
type format struct {
	name         string
	block, bytes int // elements and bytes of a block
	dtype        tarn.DType
	floats       func(y []float32, b []byte) // decodes one block to F32
	ints         func(b []byte) int64        // decodes an integer
}

// formats has the types that are read by their numbers.
var formats = map[uint32]*format{
	0:  {name: "F32", block: 1, bytes: 4, dtype: tarn.F32, floats: func(y []float32, b []byte) { y[0] = math.Float32frombits(order.Uint32(b)) }},
	1:  {name: "F16", block: 1, bytes: 2, dtype: tarn.F32, floats: func(y []float32, b []byte) { y[0] = f16(b) }},
	2:  {name: "Q4_0", block: 32, bytes: 18, dtype: tarn.F32, floats: q4x0},
	3:  {name: "Q4_1", block: 32, bytes: 20, dtype: tarn.F32, floats: q4x1},
	6:  {name: "Q5_0", block: 32, bytes: 22, dtype: tarn.F32, floats: q5x0},
	7:  {name: "Q5_1", block: 32, bytes: 24, dtype: tarn.F32, floats: q5x1},
	8:  {name: "Q8_0", block: 32, bytes: 34, dtype: tarn.F32, floats: q8x0},
	12: {name: "Q4_K", block: 256, bytes: 144, dtype: tarn.F32, floats: q4k},
	13: {name: "Q5_K", block: 256, bytes: 176, dtype: tarn.F32, floats: q5k},
	14: {name: "Q6_K", block: 256, bytes: 210, dtype: tarn.F32, floats: q6k},
	24: {name: "I8", block: 1, bytes: 1, dtype: tarn.I32, ints: func(b []byte) int64 { return int64(int8(b[0])) }},
	25: {name: "I16", block: 1, bytes: 2, dtype: tarn.I32, ints: func(b []byte) int64 { return int64(int16(order.Uint16(b))) }},
	26: {name: "I32", block: 1, bytes: 4, dtype: tarn.I32, ints: func(b []byte) int64 { return int64(int32(order.Uint32(b))) }},
	27: {name: "I64", block: 1, bytes: 8, dtype: tarn.I64, ints: func(b []byte) int64 { return int64(order.Uint64(b)) }},
	28: {name: "F64", block: 1, bytes: 8, dtype: tarn.F64},
	30: {name: "BF16", block: 1, bytes: 2, dtype: tarn.F32, floats: func(y []float32, b []byte) { y[0] = half.BF16(order.Uint16(b)) }},
}

// names has the types that are not read.
var names = map[uint32]string{
	9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS",
	29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}

// unread says what a type is that is not read.
func unread(kind uint32) string {
	if name, ok := names[kind]; ok {
		return name
	}
	return fmt.Sprint(kind)
}

// known lists the types that are read.
func known() string {
	var all []string
	for _, f := range formats {
		all = append(all, f.name)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func f16(b []byte) float32 { return half.F16(order.Uint16(b)) }

// q4x0 decodes 32 integers of 4 bits around 8.
func q4x0(y []float32, b []byte) {
	d := f16(b)
	for j, q := range b[2:18] {
		y[j], y[j+16] = d*float32(int(q&15)-8), d*float32(int(q>>4)-8)
	}
}

// q4x1 decodes 32 integers of 4 bits from a least value on.
func q4x1(y []float32, b []byte) {
	d, m := f16(b), f16(b[2:])
	for j, q := range b[4:20] {
		y[j], y[j+16] = float32(d*float32(q&15))+m, float32(d*float32(q>>4))+m
	}
}

// fifth returns the fifth bits of elements j and j+16 of a block.
func fifth(bits uint32, j int) (low, high byte) {
	return byte(bits>>j) & 1 << 4, byte(bits>>(j+16)) & 1 << 4
}

// q5x0 decodes 32 integers of 5 bits around 16.
func q5x0(y []float32, b []byte) {
	d, bits := f16(b), order.Uint32(b[2:])
	for j, q := range b[6:22] {
		low, high := fifth(bits, j)
		y[j], y[j+16] = d*float32(int(q&15|low)-16), d*float32(int(q>>4|high)-16)
	}
}

// q5x1 decodes 32 integers of 5 bits from a least value on.
func q5x1(y []float32, b []byte) {
	d, m, bits := f16(b), f16(b[2:]), order.Uint32(b[4:])
	for j, q := range b[8:24] {
		low, high := fifth(bits, j)
		y[j], y[j+16] = float32(d*float32(q&15|low))+m, float32(d*float32(q>>4|high))+m
	}
}

// q8x0 decodes 32 integers of 8 bits.
func q8x0(y []float32, b []byte) {
	d := f16(b)
	for j, q := range b[2:34] {
		y[j] = d * float32(int8(q))
	}
}

// scales returns the scale and the least value, each of 6 bits, of the jth 32 elements of a block of Q4_K or Q5_K.
func scales(s []byte, j int) (scale, least float32) {
	if j < 4 {
		return float32(s[j] & 63), float32(s[j+4] & 63)
	}
	return float32(s[j+4]&15 | s[j-4]>>6<<4), float32(s[j+4]>>4 | s[j]>>6<<4)
}

// q4k decodes 256 integers of 4 bits, 32 of which share a scale and a least value.
func q4k(y []float32, b []byte) {
	d, m := f16(b), f16(b[2:])
	for j := range 8 {
		scale, least := scales(b[4:16], j)
		scale, least = d*scale, m*least
		for l, q := range b[16+j/2*32:][:32] {
			y[j*32+l] = float32(scale*float32(q>>(j&1*4)&15)) - least
		}
	}
}

// q5k decodes 256 integers of 5 bits as q4k does; the fifth bits of all are in 32 bytes.
func q5k(y []float32, b []byte) {
	d, m := f16(b), f16(b[2:])
	for j := range 8 {
		scale, least := scales(b[4:16], j)
		scale, least = d*scale, m*least
		for l, q := range b[48+j/2*32:][:32] {
			y[j*32+l] = float32(scale*float32(q>>(j&1*4)&15|b[16+l]>>j&1<<4)) - least
		}
	}
}

// q6k decodes 256 integers of 6 bits around 32, 16 of which share a scale: the lower four bits are in 128 bytes, the upper two in 64.
func q6k(y []float32, b []byte) {
	d := f16(b[208:])
	for i := range y[:256] {
		part, quarter, l := i/128, i/32%4, i%32 // 128 elements have 64 bytes of lower and 32 of upper bits
		low := b[part*64+quarter%2*32+l] >> (quarter / 2 * 4) & 15
		high := b[128+part*32+l] >> (quarter * 2) & 3
		y[i] = float32(d*float32(int8(b[192+i/16]))) * float32(int(low|high<<4)-32)
	}
}
