// The CPU's hint for waiting loops. ISB waits about as long as PAUSE does on amd64; YIELD does nothing on most cores.

#include "textflag.h"

// func pause()
TEXT ·pause(SB), NOSPLIT, $0-0
	ISB $15
	RET
