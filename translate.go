package tarn

import shown "github.com/seed-49005b45/tarn/internal/translate"

// This file shows graphs to the packages that write them in other formats.

func init() {
	shown.Outputs = func(graph, outputs any) (*shown.Translation, error) {
		g, named := graph.(*Graph), outputs.(Outputs)
		if err := g.Err(); err != nil {
			return nil, err
		}
		main := newRoots(named, nil)
		if err := main.check(g, wanted{}); err != nil {
			return nil, err
		}
		t := translate(g, main, nil, wanted{})
		out := &shown.Translation{Graph: t.graph, Outputs: main.names, Values: memoryOf(t.params)}
		for _, in := range t.inputs {
			out.Inputs = append(out.Inputs, in.name)
		}
		for _, p := range t.params {
			if err := p.tensor.Fetch(); err != nil {
				return nil, err
			}
			out.Params = append(out.Params, p)
		}
		return out, nil
	}
}
