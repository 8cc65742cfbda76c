package tensorboard

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// This file holds the protocol buffers of events. The numbers are those of the fields in TensorBoard's .proto files.

// message is a protocol buffer under construction.
type message []byte

func (m message) bytes(field protowire.Number, x []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, field, protowire.BytesType), x)
}

func (m message) string(field protowire.Number, x string) message { return m.bytes(field, []byte(x)) }

func (m message) int(field protowire.Number, x int64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, field, protowire.VarintType), uint64(x))
}

func (m message) double(field protowire.Number, x float64) message {
	return protowire.AppendFixed64(protowire.AppendTag(m, field, protowire.Fixed64Type), math.Float64bits(x))
}

func (m message) float(field protowire.Number, x float32) message {
	return protowire.AppendFixed32(protowire.AppendTag(m, field, protowire.Fixed32Type), math.Float32bits(x))
}

// doubles appends a packed list.
func (m message) doubles(field protowire.Number, xs []float64) message {
	var list []byte
	for _, x := range xs {
		list = protowire.AppendFixed64(list, math.Float64bits(x))
	}
	return m.bytes(field, list)
}

// versionEvent is the first event of every file.
func versionEvent(now float64) message {
	return message{}.double(1, now).string(3, "brain.Event:2")
}

// startEvent is an Event with a SessionLog whose status is START.
func startEvent(now float64, step int64) message {
	return message{}.double(1, now).int(2, step).bytes(7, message{}.int(1, 1))
}

// summaryEvent is an Event with a Summary of one Value, of which value holds the fields other than its tag.
func summaryEvent(now float64, step int64, tag string, value []byte) message {
	v := append(message{}.string(1, tag), value...)
	return message{}.double(1, now).int(2, step).bytes(5, message{}.bytes(1, v))
}

func floatValue(x float64) message { return message{}.float(2, float32(x)) }

func histogramValue(h histogram) message {
	return message{}.bytes(5, message{}.double(1, h.min).double(2, h.max).double(3, h.num).double(4, h.sum).
		double(5, h.squares).doubles(6, h.limits).doubles(7, h.counts))
}

func imageValue(width, height int, file []byte) message {
	const rgba = 4
	return message{}.bytes(4, message{}.int(1, int64(height)).int(2, int64(width)).int(3, rgba).bytes(4, file))
}

// textValue is a tensor of one string, shown by the text plugin.
func textValue(text string) message {
	const dtString = 7
	shape := message{}.bytes(2, message{}.int(1, 1))
	return pluginValue("text", nil).bytes(8, message{}.int(1, dtString).bytes(2, shape).string(8, text))
}

// pluginValue is a Value's metadata: the plugin that shows it, and data for that.
func pluginValue(name string, content []byte) message {
	plugin := message{}.string(1, name)
	if content != nil {
		plugin = plugin.bytes(2, content)
	}
	return message{}.bytes(9, message{}.bytes(1, plugin))
}

// hparamsValues are the Values that declare an experiment and begin a session of it.
func hparamsValues(hparams map[string]any, metrics []string, now float64) (experiment, session message, err error) {
	const typeString, typeBool, typeFloat = 1, 2, 3
	var declared, start message
	for _, name := range slices.Sorted(maps.Keys(hparams)) {
		var kind int64
		var value message
		switch x := reflect.ValueOf(hparams[name]); {
		case !x.IsValid():
			return nil, nil, fmt.Errorf("tensorboard: hyperparameter %q is nil", name)
		case x.Kind() == reflect.String:
			kind, value = typeString, message{}.string(3, x.String())
		case x.Kind() == reflect.Bool:
			n := int64(0)
			if x.Bool() {
				n = 1
			}
			kind, value = typeBool, message{}.int(4, n)
		case x.CanInt():
			kind, value = typeFloat, message{}.double(2, float64(x.Int()))
		case x.CanUint():
			kind, value = typeFloat, message{}.double(2, float64(x.Uint()))
		case x.CanFloat():
			kind, value = typeFloat, message{}.double(2, x.Float())
		default:
			return nil, nil, fmt.Errorf("tensorboard: hyperparameter %q is a %T; it should be a string, a bool or a number", name, hparams[name])
		}
		declared = declared.bytes(4, message{}.string(1, name).int(4, kind))
		start = start.bytes(1, message{}.string(1, name).bytes(2, value))
	}
	for _, tag := range metrics {
		declared = declared.bytes(5, message{}.bytes(1, message{}.string(2, tag)))
	}
	declared = declared.double(3, now)
	start = start.double(5, now)
	return hparamsValue(2, declared), hparamsValue(3, start), nil
}

// endValue is the Value that ends a session.
func endValue(success bool, now float64) message {
	status := int64(1)
	if !success {
		status = 2
	}
	return hparamsValue(4, message{}.int(1, status).double(2, now))
}

// hparamsValue wraps a part of HParamsPluginData. The plugin wants a tensor too, an empty float.
func hparamsValue(part protowire.Number, m message) message {
	const dtFloat = 1
	content := message{}.int(1, 0).bytes(part, m)
	return pluginValue("hparams", content).bytes(8, message{}.int(1, dtFloat).bytes(2, message{}).float(5, 0))
}
