package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Identities for people who try things out: an administrator, and the system of the
// country's own unit, which may submit for all that stand below it.
const (
	operator = "admin/ops"
	country  = "unit/vn"
)

// Env is by what the cotmoc command works with this cluster: as an administrator, as
// the country's unit where it submits, and as the user of NATS of a command.
func (k *Cluster) Env(user string) ([]string, error) {
	env := []string{"COTMOC_REGISTRY=" + k.RegistryAddrs(), "COTMOC_REPORTING=" + k.ReportingAddrs(),
		"COTMOC_REGISTRY_ADMIN=" + k.RegistryAdmins(), "COTMOC_REPORTING_ADMIN=" + k.ReportingAdmins()}
	nats, err := k.Files("service/nats-1")
	if err != nil {
		return nil, err
	}
	env = append(env, "COTMOC_NATS_SEED="+k.Seed(user), "COTMOC_NATS_CA="+nats.CA, "COTMOC_NATS_INBOX=_INBOX_"+user)
	if k.c.Insecure {
		return env, nil
	}
	own, err := k.Files(operator)
	if err != nil {
		return nil, err
	}
	unit, err := k.Files(country)
	if err != nil {
		return nil, err
	}
	return append(env, "COTMOC_TLS_CERT="+own.Cert, "COTMOC_TLS_KEY="+own.Key, "COTMOC_TLS_CA="+own.CA,
		"COTMOC_UNIT_CERT="+unit.Cert, "COTMOC_UNIT_KEY="+unit.Key), nil
}

// WriteEnv writes env-<user> into the cluster's folder, for a shell to read, one for
// each user of NATS, and returns the path of that of `watch`.
func (k *Cluster) WriteEnv() (string, error) {
	for user := range subscribers() {
		env, err := k.Env(user)
		if err != nil {
			return "", err
		}
		text := shell(append(env, "COTMOC_SUBSCRIPTION="+user))
		if err := os.WriteFile(filepath.Join(k.Dir, "env-"+user), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	return filepath.Join(k.Dir, "env-watch"), nil
}

// shell is variables as a shell reads them.
func shell(env []string) string {
	var text strings.Builder
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		fmt.Fprintf(&text, "export %s='%s'\n", name, value)
	}
	return text.String()
}
