package crates

import (
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"espalier.dev/espalier/internal/fault"
)

// HostCargo is the part of the user's own cargo configuration that decides
// where crates come from. It is used by fetch steps only.
type HostCargo struct {
	Config string            // TOML without secrets
	Env    map[string]string // CARGO_REGISTRIES_<NAME>_TOKEN and the like; never stored
}

// ReadHostCargo reads config.toml and credentials.toml of the user's
// CARGO_HOME. Only the tables that say where crates come from are taken
// ([source], [registries], [registry], [http], [net]); tokens are moved to
// environment variables, because a file of the step would reach the store.
// Missing files are no error.
func ReadHostCargo(lookup func(string) (string, bool)) (HostCargo, error) {
	h := HostCargo{Env: map[string]string{}}
	dir, ok := lookup("CARGO_HOME")
	if !ok || dir == "" {
		home, ok := lookup("HOME")
		if !ok || home == "" {
			return h, nil
		}
		dir = filepath.Join(home, ".cargo")
	}
	config, err := readTOML(dir, "config.toml", "config")
	if err != nil {
		return h, err
	}
	credentials, err := readTOML(dir, "credentials.toml", "credentials")
	if err != nil {
		return h, err
	}
	h.takeTokens(config)
	h.takeTokens(credentials)
	keep := map[string]any{}
	for _, k := range []string{"source", "registries", "registry", "http", "net"} {
		if v, ok := config[k]; ok {
			keep[k] = v
		}
	}
	if len(keep) > 0 {
		b, err := toml.Marshal(keep)
		if err != nil {
			return h, err
		}
		h.Config = string(b)
	}
	for _, k := range sortedEnv(lookup) {
		v, _ := lookup(k)
		h.Env[k] = v
	}
	return h, nil
}

// sortedEnv lists the variables that cargo itself reads for a fetch and that
// have no place in a file.
func sortedEnv(lookup func(string) (string, bool)) []string {
	var out []string
	for _, k := range []string{"CARGO_REGISTRY_TOKEN", "CARGO_HTTP_PROXY", "CARGO_HTTP_TIMEOUT", "CARGO_HTTP_MULTIPLEXING", "CARGO_NET_RETRY"} {
		if v, ok := lookup(k); ok && v != "" {
			out = append(out, k)
		}
	}
	sort.Strings(out)
	return out
}

// takeTokens moves tokens out of the tables into h.Env.
func (h *HostCargo) takeTokens(t map[string]any) {
	if r, ok := t["registry"].(map[string]any); ok {
		if s, ok := r["token"].(string); ok {
			h.Env["CARGO_REGISTRY_TOKEN"] = s
		}
		delete(r, "token")
		delete(r, "secret-key")
	}
	registries, _ := t["registries"].(map[string]any)
	for name, v := range registries {
		r, ok := v.(map[string]any)
		if !ok {
			continue
		}
		if s, ok := r["token"].(string); ok {
			h.Env["CARGO_REGISTRIES_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))+"_TOKEN"] = s
		}
		delete(r, "token")
		delete(r, "secret-key")
	}
}

func readTOML(dir string, names ...string) (map[string]any, error) {
	for _, n := range names {
		name := filepath.Join(dir, n)
		b, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, fault.Wrap(fault.Usage, err, "reading cargo's own configuration")
		}
		m := map[string]any{}
		if err := toml.Unmarshal(b, &m); err != nil {
			return nil, fault.Wrap(fault.Usage, err, name)
		}
		return m, nil
	}
	return map[string]any{}, nil
}
