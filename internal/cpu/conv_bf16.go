package cpu

// Convolutions of bfloat16 numbers: the operands are copied first, with their numbers rounded.

import "unsafe"

// planRounded puts the rounded operands behind what else is in the shared scratch.
func (c *Conv) planRounded() {
	space, places := c.Batch*c.In*c.Groups, c.Batch*c.Out
	for a := range 3 {
		space, places = space*c.Space[a], places*c.Places[a]
	}
	kernel := c.taps() * c.In * c.Out
	c.rounded = [...][2]int{ConvOutput: {space, kernel}, ConvInput: {places, kernel}, ConvKernel: {space, places}}[c.Kind]
	c.shared = align(c.shared)
	for i, n := range c.rounded {
		c.roundedAt[i] = c.shared
		c.shared += align(n * c.size)
	}
	c.phases = append([]convPhase{convRound}, c.phases...)
}

// roundTasks is the number of tasks that round the operands.
func (c *Conv) roundTasks() int {
	n := c.rounded[0] + c.rounded[1]
	return min(max(n*c.size/packTask, 1), packTasks)
}

// round rounds a part of both operands.
func (c *Conv) round(task int, a, b, shared unsafe.Pointer) {
	tasks := c.roundTasks()
	for i, from := range [2]unsafe.Pointer{a, b} {
		n := c.rounded[i]
		first, end := n*task/tasks, n*(task+1)/tasks
		if first < end {
			RoundBF16(unsafe.Add(shared, c.roundedAt[i]+first*c.size), unsafe.Add(from, first*c.size), end-first)
		}
	}
}
