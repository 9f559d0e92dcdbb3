//go:build failpoint

package failpoint

import (
	"fmt"
	"os"
	"sync"
)

// Enabled reports whether this build can fail on purpose.
const Enabled = true

// plan is read at the first hit; a plan that is malformed ends the process.
var plan = sync.OnceValue(func() *Plan {
	p, err := Parse(os.Getenv(Env))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return p
})

// Hit does what the environment says for the point: it ends the process, waits,
// panics, or returns an error.
func Hit(at Point) error { return plan().Hit(at) }
