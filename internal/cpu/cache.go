// What is asked of the machine beside its instructions.

package cpu

// usualSecondLevel stands for the bytes of the second-level cache of a core that does not tell them.
const usualSecondLevel = 1 << 20
