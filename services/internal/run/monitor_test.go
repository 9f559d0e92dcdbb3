package run

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/auth/authority"
	"github.com/cotmoc/cotmoc/services/internal/obs"
)

// monitor answers, well, until the test ends.
func monitor(t *testing.T, c MonitorConfig) *Monitor {
	t.Helper()
	c.Metrics = obs.NewRegistry()
	m, err := NewMonitor(c)
	if err != nil {
		t.Fatal(err)
	}
	m.Watch()
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// asked asks for a URL under a host, the URL's when it is empty.
func asked(t *testing.T, c *http.Client, url, host string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestMonitorOffLoopbackIsAskedFor: without TLS, or being told, nobody else than this
// machine may read; profiles never.
func TestMonitorOffLoopbackIsAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		config MonitorConfig
		want   string
	}{
		"nowhere":           {MonitorConfig{Profiles: true}, ""},
		"loopback":          {MonitorConfig{Listen: "127.0.0.1:0", Profiles: true}, ""},
		"everywhere":        {MonitorConfig{Listen: "0.0.0.0:0"}, "not on loopback"},
		"every interface":   {MonitorConfig{Listen: ":0"}, "not on loopback"},
		"an address":        {MonitorConfig{Listen: "192.0.2.7:7601"}, "--metrics-open"},
		"open":              {MonitorConfig{Listen: "0.0.0.0:0", Open: true}, ""},
		"TLS":               {MonitorConfig{Listen: "0.0.0.0:0", Cert: "a", Key: "b"}, ""},
		"half a pair":       {MonitorConfig{Listen: "127.0.0.1:0", Cert: "a"}, "belong together"},
		"profiles, open":    {MonitorConfig{Listen: "0.0.0.0:0", Open: true, Profiles: true}, "--pprof"},
		"profiles over TLS": {MonitorConfig{Listen: "0.0.0.0:0", Cert: "a", Key: "b", Profiles: true}, "--pprof"},
		"no port":           {MonitorConfig{Listen: "127.0.0.1"}, "missing port"},
	} {
		err := c.config.Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := NewMonitor(MonitorConfig{Listen: "0.0.0.0:0"}); err == nil {
		t.Error("NewMonitor does not ask Check")
	}
}

// TestMonitorLooksAtTheHost: a name that somebody else let point here gets nothing.
func TestMonitorLooksAtTheHost(t *testing.T) {
	loop := monitor(t, MonitorConfig{Listen: "127.0.0.1:0", Hosts: []string{"Metrics.cotmoc.example"}, Profiles: true})
	all := monitor(t, MonitorConfig{Listen: "0.0.0.0:0", Open: true})
	_, port, err := net.SplitHostPort(all.Addr())
	if err != nil {
		t.Fatal(err)
	}
	other := "http://127.0.0.1:" + port
	if own := ownAddress(t); own != "" {
		other = "http://" + net.JoinHostPort(own, port)
	}
	for _, c := range []struct {
		url, host string
		want      int
	}{
		{"http://" + loop.Addr(), "", http.StatusOK},
		{"http://" + loop.Addr(), "localhost:7601", http.StatusOK},
		{"http://" + loop.Addr(), "LOCALHOST.", http.StatusOK},
		{"http://" + loop.Addr(), "[::1]:7601", http.StatusOK},
		{"http://" + loop.Addr(), "127.0.0.1", http.StatusOK},
		{"http://" + loop.Addr(), "metrics.cotmoc.example:443", http.StatusOK},
		{"http://" + loop.Addr(), "evil.example", http.StatusMisdirectedRequest},
		{"http://" + loop.Addr(), "localhost.evil.example:7601", http.StatusMisdirectedRequest},
		{"http://" + loop.Addr(), "127.0.0.1.evil.example", http.StatusMisdirectedRequest},
		{"http://" + loop.Addr(), "192.0.2.7:7601", http.StatusMisdirectedRequest},
		{other, "", http.StatusOK}, // by the address at which it came in
		{other, "evil.example", http.StatusMisdirectedRequest},
		{other, "metrics.cotmoc.example", http.StatusMisdirectedRequest},
	} {
		for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
			if code, body := asked(t, http.DefaultClient, c.url+path, c.host); code != c.want {
				t.Errorf("%s%s for host %q: %d %.60q, want %d", c.url, path, c.host, code, body, c.want)
			}
		}
	}
	const profile = "/debug/pprof/goroutine?debug=1"
	for url, want := range map[string]int{"http://" + loop.Addr(): http.StatusOK, other: http.StatusNotFound} {
		if code, _ := asked(t, http.DefaultClient, url+profile, ""); code != want {
			t.Errorf("profiles at %s: %d, want %d", url, code, want)
		}
	}
	if code, _ := asked(t, http.DefaultClient, "http://"+loop.Addr()+profile, "evil.example"); code != http.StatusMisdirectedRequest {
		t.Errorf("profiles for a foreign name: %d", code)
	}
}

// ownAddress is an address of this machine that is not loopback; empty where there is none.
func ownAddress(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return ""
}

// TestMonitorSpeaksTLS: with the certificate that its files hold now. Who speaks
// something else is logged once in a while, not each time.
func TestMonitorSpeaksTLS(t *testing.T) {
	dir := t.TempDir()
	ca, err := authority.New(filepath.Join(dir, "certs"), "cotmoc.test")
	if err != nil {
		t.Fatal(err)
	}
	issue := func(name string) auth.Files {
		f, err := ca.Issue("service/"+name, "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	first, second := issue("first"), issue("second")
	core, logs := observer.New(zap.WarnLevel)
	m := monitor(t, MonitorConfig{Listen: "0.0.0.0:0", Cert: first.Cert, Key: first.Key, Log: zap.New(core)})
	_, port, err := net.SplitHostPort(m.Addr())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(first.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	served := func() string {
		c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
		resp, err := c.Get("https://127.0.0.1:" + port + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("/readyz: %d", resp.StatusCode)
		}
		return resp.TLS.PeerCertificates[0].URIs[0].Path
	}
	if got := served(); got != "/service/first" {
		t.Errorf("served by %s", got)
	}
	for from, to := range map[string]string{second.Cert: first.Cert, second.Key: first.Key} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	later := time.Now().Add(time.Second)
	if err := os.Chtimes(first.Cert, later, later); err != nil {
		t.Fatal(err)
	}
	if got := served(); got != "/service/second" {
		t.Errorf("after the files changed, served by %s", got)
	}
	for range 20 {
		if resp, err := http.Get("http://127.0.0.1:" + port + "/readyz"); err == nil {
			_ = resp.Body.Close()
		}
	}
	for end := time.Now().Add(5 * time.Second); logs.Len() == 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond) // the line may come after the answer
	}
	if n := logs.Len(); n != 1 {
		t.Errorf("%d lines of 20 callers without TLS, want 1", n)
	}
	if _, err := NewMonitor(MonitorConfig{Listen: "127.0.0.1:0", Cert: first.Cert, Key: second.CA}); err == nil {
		t.Error("a certificate without its key was taken")
	}
	if err := (*Monitor)(nil).Close(); err != nil || (*Monitor)(nil).Addr() != "" {
		t.Error("no monitor is one that answers nowhere")
	}
	(*Monitor)(nil).NotReady("start", context.Canceled.Error())
}
