package auth

import "context"

// Demand denies an answer that tells of a place which is not the caller's. It is for
// handlers that learn only while they answer what a request is about: the table asks
// the request alone. Callers without identities are denied nothing.
func Demand(ctx context.Context, field string, places ...Place) error {
	c := callerOf(ctx)
	if c == nil {
		return nil
	}
	outside, err := c.outside(ctx, places)
	if err == nil && len(outside) > 0 {
		err = denied(field)
	}
	return err
}
