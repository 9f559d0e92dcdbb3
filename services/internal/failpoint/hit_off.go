//go:build !failpoint

package failpoint

// Enabled reports whether this build can fail on purpose.
const Enabled = false

// Hit does nothing in this build.
func Hit(Point) error { return nil }
