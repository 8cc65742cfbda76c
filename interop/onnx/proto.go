package onnx

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// This file reads the protocol buffers of a model: the messages of onnx.proto, of which only the fields that mean something here are kept. Bytes of
// tensors are not copied.

// The element types of TensorProto.
const (
	typeNone = iota
	typeFloat
	typeUint8
	typeInt8
	typeUint16
	typeInt16
	typeInt32
	typeInt64
	typeString
	typeBool
	typeFloat16
	typeDouble
	typeUint32
	typeUint64
	typeComplex64
	typeComplex128
	typeBfloat16
	typeFloat8E4M3FN
	typeFloat8E4M3FNUZ
	typeFloat8E5M2
	typeFloat8E5M2FNUZ
	typeUint4
	typeInt4
	typeFloat4E2M1
	typeFloat8E8M0
	typeUint2
	typeInt2
)

var typeNames = [...]string{"undefined", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16", "float64", "uint32", "uint64",
	"complex64", "complex128", "bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4", "int4", "float4e2m1", "float8e8m0", "uint2", "int2"}

// elemType is the type of elements, a number of TensorProto.DataType.
type elemType int

func (t elemType) String() string {
	if t < 0 || int(t) >= len(typeNames) {
		return fmt.Sprintf("type %d", int(t))
	}
	return typeNames[t]
}

type modelProto struct {
	irVersion int64
	producer  string
	graph     *graphProto
	opsets    map[string]int64
	metadata  map[string]string
	functions map[string]*functionProto // by domain and name, with a colon between
}

type graphProto struct {
	name         string
	nodes        []*nodeProto
	initializers []*tensorProto
	inputs       []*valueInfo
	outputs      []*valueInfo
}

type nodeProto struct {
	name, op, domain string
	inputs, outputs  []string
	attrs            map[string]*attribute
}

type attribute struct {
	name    string
	kind    int64
	ref     string // the attribute of the function that it stands for
	f       float32
	i       int64
	s       []byte
	t       *tensorProto
	g       *graphProto
	floats  []float32
	ints    []int64
	strings [][]byte
}

type tensorProto struct {
	name     string
	dims     []int64
	dtype    elemType
	raw      []byte
	floats   []float32
	int32s   []int64 // of int32_data
	int64s   []int64
	doubles  []float64
	uint64s  []uint64
	strings  [][]byte
	external map[string]string // where the bytes lie, if not here
}

// valueInfo is an input or an output: a tensor whose sizes are numbers, names for free ones, or unknown.
type valueInfo struct {
	name     string
	elem     elemType
	known    bool // there is a shape
	dims     []dim
	sequence bool
	optional bool
}

type dim struct {
	size int64  // -1 if it is free
	name string // of a free one, or ""
}

type functionProto struct {
	name, domain    string
	inputs, outputs []string
	nodes           []*nodeProto
	attrs           map[string]*attribute // defaults
	opsets          map[string]int64
}

// deepest bounds how deeply graphs may lie within graphs.
const deepest = 32

var errMalformed = errors.New("not a protocol buffer of a model, or a damaged one")

// field is one field of a message: a number of a fixed or variable size, or bytes.
type field struct {
	number protowire.Number
	kind   protowire.Type
	value  uint64
	bytes  []byte
}

// each calls f for each field of a message.
func each(b []byte, f func(field) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errMalformed
		}
		b = b[n:]
		x := field{number: number, kind: kind}
		switch kind {
		case protowire.VarintType:
			x.value, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			x.value = uint64(v)
		case protowire.Fixed64Type:
			x.value, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			x.bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return errMalformed
		}
		b = b[n:]
		if err := f(x); err != nil {
			return err
		}
	}
	return nil
}

// text is a string, which must be UTF-8.
func (x field) text(to *string) error {
	if x.kind != protowire.BytesType || !utf8.Valid(x.bytes) {
		return errMalformed
	}
	*to = string(x.bytes)
	return nil
}

// varints appends a number, or a packed list of them.
func (x field) varints(to *[]int64) error {
	return packed(x, protowire.VarintType, protowire.ConsumeVarint, func(v uint64) int64 { return int64(v) }, to)
}

func (x field) float32s(to *[]float32) error {
	return packed(x, protowire.Fixed32Type, protowire.ConsumeFixed32, math.Float32frombits, to)
}

func (x field) float64s(to *[]float64) error {
	return packed(x, protowire.Fixed64Type, protowire.ConsumeFixed64, math.Float64frombits, to)
}

// packed appends a number of a kind, or a list of them one after another, each as of makes it of its bits.
func packed[T any, B uint32 | uint64](x field, kind protowire.Type, consume func(b []byte) (B, int), of func(B) T, to *[]T) error {
	switch x.kind {
	case kind:
		*to = append(*to, of(B(x.value)))
	case protowire.BytesType:
		for b := x.bytes; len(b) > 0; {
			v, n := consume(b)
			if n < 0 {
				return errMalformed
			}
			*to = append(*to, of(v))
			b = b[n:]
		}
	default:
		return errMalformed
	}
	return nil
}

// message reads a message that is a field.
func (x field) message(f func(field) error) error {
	if x.kind != protowire.BytesType {
		return errMalformed
	}
	return each(x.bytes, f)
}

// pair reads a StringStringEntryProto.
func (x field) pair(to *map[string]string) error {
	var key, value string
	err := x.message(func(x field) error {
		switch x.number {
		case 1:
			return x.text(&key)
		case 2:
			return x.text(&value)
		}
		return nil
	})
	if *to == nil {
		*to = map[string]string{}
	}
	(*to)[key] = value
	return err
}

func (x field) opset(to map[string]int64) error {
	var domain string
	var version int64
	err := x.message(func(x field) error {
		switch x.number {
		case 1:
			return x.text(&domain)
		case 2:
			version = int64(x.value)
		}
		return nil
	})
	to[canonical(domain)] = version
	return err
}

// canonical is a name of a domain: that of the standard operators is "".
func canonical(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}

func parseModel(b []byte) (*modelProto, error) {
	m := &modelProto{opsets: map[string]int64{}, functions: map[string]*functionProto{}}
	err := each(b, func(x field) (err error) {
		switch x.number {
		case 1:
			m.irVersion = int64(x.value)
		case 2:
			return x.text(&m.producer)
		case 7:
			if x.kind != protowire.BytesType {
				return errMalformed
			}
			m.graph, err = parseGraph(x.bytes, 0)
		case 8:
			return x.opset(m.opsets)
		case 14:
			return x.pair(&m.metadata)
		case 25:
			f, err := parseFunction(x)
			if err == nil {
				m.functions[f.domain+":"+f.name] = f
			}
			return err
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if m.graph == nil || len(m.opsets) == 0 {
		return nil, errMalformed
	}
	return m, nil
}

func parseGraph(b []byte, depth int) (*graphProto, error) {
	if depth > deepest {
		return nil, fmt.Errorf("graphs lie in graphs more than %d deep", deepest)
	}
	g := &graphProto{}
	err := each(b, func(x field) error {
		switch x.number {
		case 1:
			n, err := parseNode(x, depth)
			g.nodes = append(g.nodes, n)
			return err
		case 2:
			return x.text(&g.name)
		case 5:
			t, err := parseTensor(x)
			g.initializers = append(g.initializers, t)
			return err
		case 11:
			v, err := parseValueInfo(x)
			g.inputs = append(g.inputs, v)
			return err
		case 12:
			v, err := parseValueInfo(x)
			g.outputs = append(g.outputs, v)
			return err
		case 15:
			return errors.New("sparse initializers are not supported")
		}
		return nil
	})
	return g, err
}

func parseFunction(x field) (*functionProto, error) {
	f := &functionProto{opsets: map[string]int64{}, attrs: map[string]*attribute{}}
	err := x.message(func(x field) error {
		var s string
		switch x.number {
		case 1:
			return x.text(&f.name)
		case 4:
			err := x.text(&s)
			f.inputs = append(f.inputs, s)
			return err
		case 5:
			err := x.text(&s)
			f.outputs = append(f.outputs, s)
			return err
		case 7:
			n, err := parseNode(x, 1)
			f.nodes = append(f.nodes, n)
			return err
		case 9:
			return x.opset(f.opsets)
		case 10:
			err := x.text(&f.domain)
			f.domain = canonical(f.domain)
			return err
		case 11:
			a, err := parseAttribute(x, 1)
			if err == nil {
				f.attrs[a.name] = a
			}
			return err
		}
		return nil
	})
	return f, err
}

func parseNode(x field, depth int) (*nodeProto, error) {
	n := &nodeProto{attrs: map[string]*attribute{}}
	err := x.message(func(x field) error {
		var s string
		switch x.number {
		case 1:
			err := x.text(&s)
			n.inputs = append(n.inputs, s)
			return err
		case 2:
			err := x.text(&s)
			n.outputs = append(n.outputs, s)
			return err
		case 3:
			return x.text(&n.name)
		case 4:
			return x.text(&n.op)
		case 5:
			a, err := parseAttribute(x, depth)
			if err == nil {
				n.attrs[a.name] = a
			}
			return err
		case 7:
			err := x.text(&n.domain)
			n.domain = canonical(n.domain)
			return err
		}
		return nil
	})
	return n, err
}

func parseAttribute(x field, depth int) (*attribute, error) {
	a := &attribute{}
	err := x.message(func(x field) (err error) {
		switch x.number {
		case 1:
			return x.text(&a.name)
		case 2:
			a.f = math.Float32frombits(uint32(x.value))
		case 3:
			a.i = int64(x.value)
		case 4:
			a.s = x.bytes
		case 5:
			a.t, err = parseTensor(x)
		case 6:
			if x.kind != protowire.BytesType {
				return errMalformed
			}
			a.g, err = parseGraph(x.bytes, depth+1)
		case 7:
			return x.float32s(&a.floats)
		case 8:
			return x.varints(&a.ints)
		case 9:
			a.strings = append(a.strings, x.bytes)
		case 20:
			a.kind = int64(x.value)
		case 21:
			return x.text(&a.ref)
		}
		return err
	})
	return a, err
}

func parseTensor(x field) (*tensorProto, error) {
	t := &tensorProto{}
	external := false
	err := x.message(func(x field) error {
		switch x.number {
		case 1:
			return x.varints(&t.dims)
		case 2:
			t.dtype = elemType(x.value)
		case 3:
			return errors.New("a tensor in segments is not supported")
		case 4:
			return x.float32s(&t.floats)
		case 5:
			return x.varints(&t.int32s)
		case 6:
			t.strings = append(t.strings, x.bytes)
		case 7:
			return x.varints(&t.int64s)
		case 8:
			return x.text(&t.name)
		case 9:
			t.raw = x.bytes
		case 10:
			return x.float64s(&t.doubles)
		case 11:
			var list []int64
			err := x.varints(&list)
			for _, v := range list {
				t.uint64s = append(t.uint64s, uint64(v))
			}
			return err
		case 13:
			return x.pair(&t.external)
		case 14:
			external = x.value == 1
		}
		return nil
	})
	if !external {
		t.external = nil
	} else if t.external == nil {
		t.external = map[string]string{}
	}
	return t, err
}

func parseValueInfo(x field) (*valueInfo, error) {
	v := &valueInfo{}
	err := x.message(func(x field) error {
		switch x.number {
		case 1:
			return x.text(&v.name)
		case 2:
			return v.parseType(x, 0)
		}
		return nil
	})
	return v, err
}

func (v *valueInfo) parseType(x field, depth int) error {
	if depth > 4 {
		return errMalformed
	}
	return x.message(func(x field) error {
		switch x.number {
		case 1, 8: // a tensor, a sparse tensor
			return x.message(func(x field) error {
				switch x.number {
				case 1:
					v.elem = elemType(x.value)
				case 2:
					v.known = true
					return x.message(func(x field) error {
						if x.number != 1 {
							return nil
						}
						d := dim{size: -1}
						err := x.message(func(x field) error {
							switch x.number {
							case 1:
								d.size = int64(x.value)
							case 2:
								return x.text(&d.name)
							}
							return nil
						})
						v.dims = append(v.dims, d)
						return err
					})
				}
				return nil
			})
		case 4, 9: // a sequence, an optional value
			if x.number == 4 {
				v.sequence = true
			} else {
				v.optional = true
			}
			return x.message(func(x field) error {
				if x.number == 1 {
					return v.parseType(x, depth+1)
				}
				return nil
			})
		case 5:
			return errors.New("maps are not supported")
		}
		return nil
	})
}
