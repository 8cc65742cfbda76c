//go:build !amd64

package cpu

// firstLevel and secondLevel return what is usual: other processors do not tell programs.
func firstLevel() int  { return usualFirstLevel }
func secondLevel() int { return usualSecondLevel }
