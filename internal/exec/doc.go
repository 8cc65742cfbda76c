// Package exec runs programs: compiled ones on a worker pool, and graphs node by node as a reference.
package exec
