// The instruction that tells what the processor is.

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/reg"
)

func init() {
	register("cpuid_amd64", func(c *Context) {
		c.Function("cpuid")
		c.Attributes(NOSPLIT)
		c.SignatureExpr("func(leaf, sub uint32) (a, b, c, d uint32)")
		c.Doc("cpuid asks the processor.")
		c.Load(c.Param("leaf"), EAX)
		c.Load(c.Param("sub"), ECX)
		c.CPUID()
		c.Store(EAX, c.Return("a"))
		c.Store(EBX, c.Return("b"))
		c.Store(ECX, c.Return("c"))
		c.Store(EDX, c.Return("d"))
		c.RET()
	})
}
