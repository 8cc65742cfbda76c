package cpu

// levels has NEON on every processor: it is part of the architecture.
func levels() []Level { return []Level{Go, NEON} }
