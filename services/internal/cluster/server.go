package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	config "github.com/cotmoc/cotmoc/deploy/config"
	"github.com/cotmoc/cotmoc/services/internal/pgd"
)

// natsServers is how many make the NATS cluster.
const natsServers = 3

// copiesWithin is how long they may take to have their copies of the streams.
const copiesWithin = readyWithin / 3

// Server is one of the NATS servers.
type Server struct {
	*Process
	URL     string // for clients
	Monitor string // its HTTP address
	Store   string // folder of its streams
}

// Build builds the programs that a cluster consists of into a folder, and cotmoc.
func Build(ctx context.Context, bin, tags string) error {
	const ours = "github.com/cotmoc/cotmoc/services/cmd/"
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/cotmoc/cotmoc").Output()
	if err != nil {
		return fmt.Errorf("build: the module is not here: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", tags, "-o", bin+string(os.PathSeparator),
		ours+"cotmoc", ours+"cotmoc-registry", ours+"cotmoc-reporting", "github.com/nats-io/nats-server/v2")
	cmd.Dir = strings.TrimSpace(string(root))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// servers starts PostgreSQL and the NATS cluster.
func (k *Cluster) servers(ctx context.Context) (err error) {
	k.say("PostgreSQL")
	pg := pgd.Config{Durable: k.c.Durable}
	if k.scratch == "" || k.c.Durable {
		pg.Dir = filepath.Join(k.Dir, "postgres")
	}
	if k.Postgres, err = pgd.Start(ctx, pg); err != nil {
		return err
	}
	k.say("%d NATS servers", natsServers)
	if err := k.accounts(); err != nil {
		return err
	}
	if err := k.configureNATS(); err != nil {
		return err
	}
	for _, s := range k.NATS {
		if err := s.Start(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	// JetStream is well when its server knows the leader of the cluster, and has its copies
	// of the streams. One that cannot catch up, as after a power cut, is no reason not to
	// start: the others serve, and the relay, which may mend it, starts after NATS.
	whole, cancel := context.WithTimeout(ctx, copiesWithin)
	defer cancel()
	for _, s := range k.NATS {
		err := s.well(whole, "http://"+s.Monitor+"/healthz")
		if err != nil && ctx.Err() == nil {
			err = s.well(ctx, "http://"+s.Monitor+"/healthz?js-server-only=true")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// configureNATS writes the configuration, the same for all, and what differs.
func (k *Cluster) configureNATS() error {
	dir := filepath.Join(k.Dir, "nats")
	text, err := config.File("nats-server.conf")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "nats-server.conf"), text, 0o600); err != nil {
		return err
	}
	ports, err := k.ports(0, 3*natsServers)
	if err != nil {
		return err
	}
	var routes []string
	for i := range natsServers {
		_, port, err := net.SplitHostPort(ports[3*i+2])
		if err != nil {
			return err
		}
		routes = append(routes, strconv.Quote("tls://localhost:"+port)) // by name: see nats-server.conf
	}
	for i := range natsServers {
		name := fmt.Sprintf("nats-%d", i+1)
		f, err := k.Files("service/" + name)
		if err != nil {
			return err
		}
		store := filepath.Join(dir, name)
		s := &Server{URL: "tls://" + ports[3*i], Monitor: ports[3*i+1], Store: store, Process: &Process{
			Name: name, binary: filepath.Join(k.c.Bin, "nats-server"), log: filepath.Join(k.Dir, "log", name+".log"),
			Args: []string{"-c", filepath.Join(dir, "nats-server.conf")},
			Env: []string{"COTMOC_NATS_NAME=" + name, "COTMOC_NATS_LISTEN=" + ports[3*i], "COTMOC_NATS_MONITOR=" + ports[3*i+1],
				"COTMOC_NATS_STORE=" + strconv.Quote(store), "COTMOC_NATS_ROUTE=" + ports[3*i+2],
				"COTMOC_NATS_ROUTES=[" + strings.Join(routes, ",") + "]",
				"COTMOC_NATS_CERT=" + strconv.Quote(f.Cert), "COTMOC_NATS_KEY=" + strconv.Quote(f.Key), "COTMOC_NATS_CA=" + strconv.Quote(f.CA)},
		}}
		k.NATS = append(k.NATS, s)
	}
	return nil
}

// accounts makes a key for every user and the file with their public halves.
func (k *Cluster) accounts() error {
	var all []config.Account
	for n := range k.c.Accounts {
		a := config.Account{Name: accountName(n)}
		var err error
		if a.Service, err = k.key(a.Name, "service"); err != nil {
			return err
		}
		for name, consumers := range subscribers() {
			key, err := k.key(a.Name, name)
			if err != nil {
				return err
			}
			a.Subscribers = append(a.Subscribers, config.Subscriber{Name: name, Key: key, Consumers: consumers})
		}
		all = append(all, a)
	}
	var text bytes.Buffer
	if err := config.WriteAccounts(&text, all); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(k.Dir, "nats", "nats-accounts.conf"), text.Bytes(), 0o600)
}

// subscribers are the users who read, and the names of their subscriptions: one for
// each command that people try, and one who may read any, for tests.
func subscribers() map[string][]string {
	return map[string][]string{"demo": {"demo"}, "watch": {"watch", "watch-progress"}, "any": {"*"}}
}

// key makes the key of a user, or reads the one there is, and returns its public half.
func (k *Cluster) key(account, user string) (string, error) {
	path := k.seed(account, user)
	seed, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		pair, err := nkeys.CreateUser()
		if err != nil {
			return "", err
		}
		if seed, err = pair.Seed(); err != nil {
			return "", err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, seed, 0o600); err != nil {
			return "", err
		}
	} else if err != nil {
		return "", err
	}
	pair, err := nkeys.FromSeed(bytes.TrimSpace(seed))
	if err != nil {
		return "", fmt.Errorf("nkey of %s: %w", path, err)
	}
	return pair.PublicKey()
}

func (k *Cluster) seed(account, user string) string {
	for k.parent != nil {
		k = k.parent
	}
	return filepath.Join(k.Dir, "nats", "users", account+"-"+user+".nk")
}

// Seed is the file with the nkey seed of a user in this cluster's account: `service`,
// `demo`, `watch`, or `any`, who reads every subscription.
func (k *Cluster) Seed(user string) string { return k.seed(k.name, user) }

// NATSURLs is where clients reach the NATS cluster, with commas between.
func (k *Cluster) NATSURLs() string {
	var urls []string
	for _, s := range k.NATS {
		urls = append(urls, s.URL)
	}
	return strings.Join(urls, ",")
}

// ConnectNATS connects as one of the users of Seed, and again whenever it breaks.
func (k *Cluster) ConnectNATS(user string, options ...nats.Option) (*nats.Conn, error) {
	key, err := nats.NkeyOptionFromSeed(k.Seed(user))
	if err != nil {
		return nil, err
	}
	f, err := k.Files("service/nats-1")
	if err != nil {
		return nil, err
	}
	own := []nats.Option{key, nats.RootCAs(f.CA), nats.CustomInboxPrefix("_INBOX_" + user),
		nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond)}
	return nats.Connect(k.NATSURLs(), append(own, options...)...)
}

// well waits until an address answers 200.
func (p *Process) well(ctx context.Context, url string) error {
	last := "nothing"
	for {
		try, cancel := context.WithTimeout(ctx, 2*time.Second)
		code, text := get(try, url)
		cancel()
		if code == http.StatusOK {
			return nil
		}
		if text != "" {
			last = text
		}
		if !p.Running() {
			return fmt.Errorf("%s ended:\n%s", p.Name, p.Tail())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %s\n%s", p.Name, last, p.Tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func get(ctx context.Context, url string) (int, string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err.Error()
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	var text bytes.Buffer
	_, _ = text.ReadFrom(resp.Body)
	return resp.StatusCode, strings.TrimSpace(text.String())
}
