// The CPU's hint for waiting loops: it saves power and leaves the core to the sibling hyper-thread.

#include "textflag.h"

// func pause()
TEXT ·pause(SB), NOSPLIT, $0-0
	PAUSE
	RET
