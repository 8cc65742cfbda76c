// Package bench measures Tarn on standard workloads: training steps of whole networks, and the kernels they are made of,
// and a search for a minimum.
//
// One measurement is one process, so that its first step and its peak memory belong to one workload. It takes the first
// step, which traces, differentiates and compiles, then warms up, then repeats the step until it has enough samples of
// sufficient length, and reports the median. The programs in peers do the same with PyTorch, JAX, NumPy and SciPy on the same
// workloads, by the same rules, which makes ratios between two engines meaningful.
package bench
