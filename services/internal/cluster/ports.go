package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Free ports are looked for below those that systems give to outgoing connections: a
// process that is started again would find its port taken by one of them.
const (
	firstPort = 12_000
	lastPort  = 32_000
	portTries = 50
)

// ports returns n addresses on loopback, in a row from the base port plus an offset, or
// where there is room.
func (k *Cluster) ports(offset, n int) ([]string, error) {
	if k.c.BasePort != 0 {
		return row(k.c.BasePort+offset, n)
	}
	var err error
	for range portTries {
		var all []string
		if all, err = row(firstPort+rand.N(lastPort-firstPort-n), n); err == nil {
			return all, nil
		}
	}
	return nil, err
}

// row returns n addresses in a row that nobody listens on.
func row(first, n int) (all []string, err error) {
	var held []net.Listener
	defer func() {
		for _, l := range held {
			err = errors.Join(err, l.Close())
		}
	}()
	for port := first; port < first+n; port++ {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return nil, fmt.Errorf("reserve port %d: %w", port, err)
		}
		held, all = append(held, l), append(all, l.Addr().String())
	}
	return all, nil
}
