// What is asked of the machine beside its instructions.

package cpu

// The bytes of the caches of a core that does not tell them.
const (
	usualFirstLevel  = 32 << 10
	usualSecondLevel = 1 << 20
)
