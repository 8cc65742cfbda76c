// Package doctor judges trainings by what package watch has recorded: it names the layer, the cause and the cure.
//
// Judge applies the rules of one table, Rules. A number out of range is no fault by itself: deep residual networks, frozen layers,
// branches that begin at zero and very small losses all have some, and train. So a rule speaks only if the training also
// gets nowhere, as measured by the loss of the best constant prediction, or if what it has found cannot be meant.
//
//	h, err := watch.Load("runs/mnist-1/watch.jsonl")
//	...
//	for _, v := range doctor.Judge(h) {
//		fmt.Println(v.Headline)
//	}
//
// train.Loop does so by itself while it trains.
package doctor
