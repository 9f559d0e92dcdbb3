package auth

import "context"

// Charge takes units more from the allowance of the caller of ctx, after the fact: what a
// call turned out to cost beyond one plain call, which is one unit and about 50
// microseconds of a processor. A caller may so come into debt, and is refused until the
// debt is paid. Without identities nothing is charged.
func Charge(ctx context.Context, units int) {
	if c := callerOf(ctx); c != nil && c.share != nil && units > 0 {
		c.share.charge(units)
	}
}
