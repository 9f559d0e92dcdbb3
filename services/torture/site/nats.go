package site

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/cotmoc/cotmoc/services/torture/fault"
)

// Wipe takes away what the NATS servers keep; they must not run.
func (s *Site) Wipe() error {
	for _, n := range s.NATS {
		if err := n.Wipe(); err != nil {
			return err
		}
	}
	return nil
}

// Wipe removes what a server keeps; it must not run.
func (n *Node) Wipe() error {
	if err := os.RemoveAll(n.Store); err != nil {
		return fmt.Errorf("wipe %s: %w", n.Name, err)
	}
	return nil
}

// Keep copies what the NATS servers keep.
func (s *Site) Keep() error {
	for _, n := range s.NATS {
		if err := fault.Copy(n.Store, n.Store+".old"); err != nil {
			return err
		}
	}
	return nil
}

// RollBack puts back what Keep copied; the servers must not run.
func (s *Site) RollBack() error {
	for _, n := range s.NATS {
		if err := fault.Copy(n.Store+".old", n.Store); err != nil {
			return err
		}
	}
	return nil
}

// Leader names the server that leads the stream of facts, by what the servers tell
// those who look after them; subscribers may not ask. Empty where nobody says so.
func (s *Site) Leader(ctx context.Context) string {
	for _, n := range s.NATS {
		if name, err := n.leader(ctx); err == nil && name != "" {
			return name
		}
	}
	return ""
}

func (n *Node) leader(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.Monitor+"/jsz?accounts=true&streams=true", nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("ask %s: %w", n.Name, err)
	}
	defer func() { _ = resp.Body.Close() }()
	var info struct {
		Accounts []struct {
			Streams []struct {
				Name    string `json:"name"`
				Cluster struct {
					Leader string `json:"leader"`
				} `json:"cluster"`
			} `json:"stream_detail"`
		} `json:"account_details"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&info); err != nil {
		return "", fmt.Errorf("what %s tells: %w", n.Name, err)
	}
	for _, a := range info.Accounts {
		for _, st := range a.Streams {
			if strings.HasPrefix(st.Name, "COTMOC-FACTS-") && st.Cluster.Leader != "" {
				return st.Cluster.Leader, nil
			}
		}
	}
	return "", nil
}

// Damage flips a bit in the middle of the largest block of facts that a server keeps;
// the server must not run. It does nothing where there is no block yet.
func (n *Node) Damage() error {
	var largest string
	var size int64
	err := filepath.WalkDir(n.Store, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".blk") || !strings.Contains(path, "COTMOC-FACTS-") {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > size {
			largest, size = path, info.Size()
		}
		return err
	})
	if err != nil || largest == "" {
		return err
	}
	b, err := os.ReadFile(largest)
	if err != nil {
		return fmt.Errorf("damage %s: %w", n.Name, err)
	}
	b[len(b)/2] ^= 1 << 3
	return os.WriteFile(largest, b, 0o600)
}
