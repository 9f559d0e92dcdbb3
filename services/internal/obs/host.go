package obs

import (
	"net"
	"net/http"
	"strings"
)

// ForHosts answers requests for the hosts that are named, for localhost, and for the
// address at which they came in; the others get 421. Otherwise a page on the Internet
// could have its name point at this machine, and a browser here would let it read all
// that the port tells. Ports do not count. A request without a host is answered: it is
// no browser's.
func ForHosts(h http.Handler, hosts ...string) http.Handler {
	known := map[string]bool{"": true, "localhost": true}
	for _, host := range hosts {
		known[plainHost(host)] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostOf(r.Host)
		if !known[host] && !isOwnAddress(host, r) {
			writeText(w, http.StatusMisdirectedRequest, "this port does not answer for that host: --metrics-hosts names those that it answers for\n")
			return
		}
		h.ServeHTTP(w, r)
	})
}

// isOwnAddress reports whether a host is an address of this machine's own, or the one
// at which the request came in.
func isOwnAddress(host string, r *http.Request) bool {
	ip := net.ParseIP(host)
	if ip == nil {
		return false
	}
	at, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ip.IsLoopback() || at != nil && ip.Equal(at.IP)
}

// hostOf is the host of a Host header, without its port.
func hostOf(header string) string {
	if host, _, err := net.SplitHostPort(header); err == nil {
		return plainHost(host)
	}
	return plainHost(strings.TrimSuffix(strings.TrimPrefix(header, "["), "]"))
}

// plainHost is a host as it is compared.
func plainHost(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }
