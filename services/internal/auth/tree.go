package auth

import (
	"context"
	"fmt"
	"net"
)

// Place is what a request is about, so far as it decides who may ask. The first of
// Event, Finding and Subscription that is set says it; else it is Unit in Period, or
// the programme's root where Unit is empty.
type Place struct {
	Programme string
	Target    string // target, task or regime, which says whose calendar Period is of
	Unit      string
	Period    string // empty for now, unless Date says otherwise
	Until     string // last period of a stretch; empty for Period alone
	Date      string // a day instead of a period

	Submission   uint64 // number of an event that tells of a cell
	Event        uint64 // number of any event
	Finding      uint64 // number of a finding
	Subscription string // name of a subscription
}

// Tree is what a service knows of who stands above whom. Each service judges by its
// own copy.
type Tree interface {
	// Outside returns the indices, ascending, of the places that are not within the
	// subtree of the unit scope, each by the tree of its own time. What does not exist
	// is outside, unless Whole. A subscription is within when the unit itself owns it.
	Outside(ctx context.Context, scope string, places []Place) ([]int, error)
	// Whole reports whether all units there are stand below scope, at all times.
	Whole(ctx context.Context, scope string) (bool, error)
}

// Require refuses an address that others than this machine's own processes reach, for
// a server without TLS: it would not know who calls.
func Require(listen string, tls bool) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("address %q: %w", listen, err)
	}
	if ip := net.ParseIP(host); tls || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("address %q is not on loopback: without certificates anybody who reaches the port could write; "+
		"give certificates or use 127.0.0.1", listen)
}
