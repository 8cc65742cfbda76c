//go:build !amd64 && !arm64

package cpu

// poolKernelsFor returns no kernels: vector functions do it all.
func poolKernelsFor(Level) poolKernels { return poolKernels{} }
