package auth

import (
	"net"
	"testing"
)

func TestAddressesOfOneNetworkAreOne(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7:1234":             "192.0.2.7",
		"[::ffff:192.0.2.7]:1":       "192.0.2.7",
		"[2001:db8:1:2:3:4:5:6]:443": "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff::1]:9":   "2001:db8:1:2::/64",
		"[2001:db8:1:3::1]:9":        "2001:db8:1:3::/64",
		"[fe80::1%eth0]:9":           "fe80::/64",
	} {
		a, err := net.ResolveTCPAddr("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if got := addressOf(a); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}
