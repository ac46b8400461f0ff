package crates

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"espalier.dev/espalier/internal/fault"
)

// HostCargo is the part of the user's own cargo configuration that decides
// where crates are downloaded from. Only fetch steps use it.
type HostCargo struct {
	Config string            // TOML without secrets: a file of the step, and therefore in the store
	Env    map[string]string // tokens, proxy and other secrets; never stored
	CA     []byte            // the certificates of http.cainfo, PEM
	Notes  []string          // settings that cannot work inside a step
}

// fetchTables are the configuration tables that affect downloads.
var fetchTables = [...]string{"source", "registries", "registry", "http", "net"}

// fetchVariables are the environment variables that cargo reads for a fetch,
// besides those of registries. As in cargo, they override the files.
var fetchVariables = [...]string{
	"CARGO_REGISTRY_TOKEN", "CARGO_REGISTRY_DEFAULT", "CARGO_REGISTRIES_CRATES_IO_PROTOCOL",
	"CARGO_HTTP_PROXY", "CARGO_HTTP_TIMEOUT", "CARGO_HTTP_MULTIPLEXING", "CARGO_HTTP_LOW_SPEED_LIMIT", "CARGO_NET_RETRY",
}

// ReadHostCargo reads config.toml and credentials.toml of the user's
// CARGO_HOME, and the environment variables that cargo reads; registries are
// the names that the project itself uses. Tokens and the proxy, whose URL may
// contain a password, become environment variables. A URL with a password that
// has no such variable is a fault. Missing files are not an error.
func ReadHostCargo(lookup func(string) (string, bool), registries ...string) (HostCargo, error) {
	h := HostCargo{Env: map[string]string{}}
	if dir := cargoHomeOf(lookup); dir != "" {
		if err := h.readFiles(dir, &registries); err != nil {
			return HostCargo{}, err
		}
	}
	names := slices.Clone(fetchVariables[:])
	for _, r := range registries {
		names = append(names, registryVariable(r, "TOKEN"), registryVariable(r, "INDEX"))
	}
	for _, k := range names {
		if v, ok := lookup(k); ok && v != "" {
			h.Env[k] = v
		}
	}
	return h, nil
}

func cargoHomeOf(lookup func(string) (string, bool)) string {
	if dir, ok := lookup("CARGO_HOME"); ok && dir != "" {
		return dir
	}
	if home, ok := lookup("HOME"); ok && home != "" {
		return filepath.Join(home, ".cargo")
	}
	return ""
}

// readFiles appends the names of the registries that it finds to registries.
func (h *HostCargo) readFiles(dir string, registries *[]string) error {
	config, name, err := readTOML(dir, "config", "config.toml") // like cargo, it prefers the name without extension
	if err != nil {
		return err
	}
	credentials, _, err := readTOML(dir, "credentials", "credentials.toml")
	if err != nil {
		return err
	}
	h.takeTokens(config)
	h.takeTokens(credentials)
	for r := range table(config, "registries") {
		*registries = append(*registries, r)
	}
	if http := table(config, "http"); http != nil {
		if s, ok := http["proxy"].(string); ok {
			h.Env["CARGO_HTTP_PROXY"] = s
			delete(http, "proxy")
		}
		if s, ok := http["cainfo"].(string); ok {
			// Cargo resolves relative paths from the parent directory of
			// CARGO_HOME.
			if !filepath.IsAbs(s) {
				s = filepath.Join(filepath.Dir(dir), s)
			}
			if h.CA, err = os.ReadFile(s); err != nil {
				return fault.Wrap(fault.Usage, err, name+": http.cainfo")
			}
			delete(http, "cainfo")
		}
	}
	keep := map[string]any{}
	for _, k := range fetchTables {
		if t := table(config, k); len(t) > 0 {
			keep[k] = t
		}
	}
	if err := refusePasswords(name, "", keep); err != nil {
		return err
	}
	if len(keep) == 0 {
		return nil
	}
	b, err := toml.Marshal(keep)
	if err != nil {
		return fault.Wrap(fault.Usage, err, name)
	}
	h.Config = string(b)
	return nil
}

// takeTokens moves tokens from the tables to h.Env, and deletes the credential
// providers, which are programs of the host: they do not exist in a step.
func (h *HostCargo) takeTokens(t map[string]any) {
	take := func(r map[string]any, variable string) {
		if s, ok := r["token"].(string); ok {
			h.Env[variable] = s
		}
		for _, k := range []string{"credential-provider", "global-credential-providers"} {
			if p, ok := r[k]; ok && !strings.Contains(fmt.Sprint(p), "cargo:token") {
				h.Notes = append(h.Notes, fmt.Sprintf("%s: the credential provider %v cannot run in a fetch step; set %s instead", k, p, variable))
			}
			delete(r, k)
		}
		for _, k := range []string{"token", "secret-key", "secret-key-subject"} {
			delete(r, k)
		}
	}
	take(table(t, "registry"), "CARGO_REGISTRY_TOKEN")
	for name := range table(t, "registries") {
		take(table(table(t, "registries"), name), registryVariable(name, "TOKEN"))
	}
}

// registryVariable is the environment variable for a key of [registries.name].
func registryVariable(name, key string) string {
	return "CARGO_REGISTRIES_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "_" + key
}

// refusePasswords returns an error for a URL with a password or a token.
func refusePasswords(file, key string, v any) error {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			if err := refusePasswords(file, strings.TrimPrefix(key+"."+k, "."), v[k]); err != nil {
				return err
			}
		}
	case []any:
		for _, e := range v {
			if err := refusePasswords(file, key, e); err != nil {
				return err
			}
		}
	case string:
		_, rest, ok := strings.Cut(v, "://")
		if !ok {
			return nil
		}
		authority, _, _ := strings.Cut(rest, "/")
		user, _, ok := strings.Cut(authority, "@")
		if !ok || user == "git" { // the user name of all git servers, not a secret
			return nil
		}
		return fault.New(fault.Usage, fmt.Sprintf("%s: %s: there is a password or user in the URL %s", file, key, redact(v)),
			"cargo login --registry NAME   # keeps a token in credentials.toml, which never reaches the store")
	}
	return nil
}

func redact(s string) string {
	scheme, rest, _ := strings.Cut(s, "://")
	if u, err := url.Parse(s); err == nil && u.Host != "" {
		return scheme + "://***@" + u.Host + u.Path
	}
	return scheme + "://***@" + rest[strings.LastIndexByte(rest, '@')+1:]
}

func sortedKeys(m map[string]any) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func table(t map[string]any, key string) map[string]any {
	m, _ := t[key].(map[string]any)
	return m
}

// readTOML reads the first of the named files that exists, and returns its
// name.
func readTOML(dir string, names ...string) (map[string]any, string, error) {
	for _, n := range names {
		name := filepath.Join(dir, n)
		b, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, name, fault.Wrap(fault.Usage, err, "reading cargo's own configuration")
		}
		m := map[string]any{}
		if err := toml.Unmarshal(b, &m); err != nil {
			return nil, name, fault.Wrap(fault.Usage, err, name)
		}
		return m, name, nil
	}
	return map[string]any{}, "", nil
}
