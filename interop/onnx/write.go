package onnx

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
	"google.golang.org/protobuf/encoding/protowire"
)

// This file writes the protocol buffers of a model.

// message is a protocol buffer under construction.
type message []byte

func (m message) bytes(n protowire.Number, b []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, n, protowire.BytesType), b)
}

func (m message) text(n protowire.Number, s string) message { return m.bytes(n, []byte(s)) }

func (m message) int(n protowire.Number, v int) message {
	return protowire.AppendVarint(protowire.AppendTag(m, n, protowire.VarintType), uint64(v))
}

// The kinds of attributes in AttributeProto.
const (
	attrFloat   = 1
	attrInt     = 2
	attrString  = 3
	attrTensor  = 4
	attrGraph   = 5
	attrInts    = 7
	attrStrings = 8
)

// attrs are the attributes of a node: int, []int, float64, string, []string, message of a graph, or *tarn.Tensor.
type attrs map[string]any

// writtenNode is a NodeProto.
func writtenNode(op, domain, name string, inputs, outputs []string, a attrs) message {
	var n message
	for _, in := range inputs {
		n = n.text(1, in)
	}
	for _, out := range outputs {
		n = n.text(2, out)
	}
	n = n.text(3, name).text(4, op)
	for _, key := range sortedKeys(a) {
		m := message{}.text(1, key)
		switch v := a[key].(type) {
		case int:
			m = m.int(3, v).int(20, attrInt)
		case float64:
			m = protowire.AppendFixed32(protowire.AppendTag(m, 2, protowire.Fixed32Type), math.Float32bits(float32(v)))
			m = m.int(20, attrFloat)
		case string:
			m = m.text(4, v).int(20, attrString)
		case []int:
			for _, x := range v {
				m = m.int(8, x)
			}
			m = m.int(20, attrInts)
		case []string:
			for _, s := range v {
				m = m.text(9, s)
			}
			m = m.int(20, attrStrings)
		case message:
			m = m.bytes(6, v).int(20, attrGraph)
		case *tarn.Tensor:
			m = m.bytes(5, writtenTensor("", v)).int(20, attrTensor)
		}
		n = n.bytes(5, m)
	}
	if domain != "" {
		n = n.text(7, domain)
	}
	return n
}

func sortedKeys(a attrs) []string {
	var keys []string
	for k := range a {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// elemOf is the type of ONNX for a type of tarn.
func elemOf(t tarn.DType) elemType {
	switch t {
	case tarn.F32:
		return typeFloat
	case tarn.F64:
		return typeDouble
	case tarn.I32:
		return typeInt32
	case tarn.I64:
		return typeInt64
	}
	return typeBool
}

// writtenTensor is a TensorProto.
func writtenTensor(name string, t *tarn.Tensor) message {
	var m message
	for _, d := range t.Shape() {
		m = m.int(1, d)
	}
	m = m.int(2, int(elemOf(t.DType())))
	if name != "" {
		m = m.text(8, name)
	}
	raw := make([]byte, 0, t.Size()*t.DType().Size())
	switch t.DType() {
	case tarn.F32:
		for _, v := range t.F32() {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
	case tarn.F64:
		for _, v := range t.F64() {
			raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
		}
	case tarn.I32:
		for _, v := range t.I32() {
			raw = binary.LittleEndian.AppendUint32(raw, uint32(v))
		}
	case tarn.I64:
		for _, v := range t.I64() {
			raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
		}
	default:
		for _, v := range t.Bools() {
			b := byte(0)
			if v {
				b = 1
			}
			raw = append(raw, b)
		}
	}
	return m.bytes(9, raw)
}

// writtenInfo is a ValueInfoProto; a negative size is the free axis.
func writtenInfo(name string, elem elemType, shape []int) message {
	var dims message
	for _, d := range shape {
		if d < 0 {
			dims = dims.bytes(1, message{}.text(2, "n"))
		} else {
			dims = dims.bytes(1, message{}.int(1, d))
		}
	}
	if len(shape) == 0 {
		dims = message{}
	}
	return message{}.text(1, name).bytes(2, message{}.bytes(1, message{}.int(1, int(elem)).bytes(2, dims)))
}
