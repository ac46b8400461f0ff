package crates

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"espalier.dev/espalier/internal/fault"
)

// hostCargo calls ReadHostCargo with a CARGO_HOME that contains files.
func hostCargo(t *testing.T, files, env map[string]string, registries ...string) (HostCargo, error) {
	t.Helper()
	home := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return ReadHostCargo(func(k string) (string, bool) {
		if k == "CARGO_HOME" {
			return home, true
		}
		v, ok := env[k]
		return v, ok
	}, registries...)
}

func TestHostCargo(t *testing.T) {
	const secret = "hunter2"
	for name, c := range map[string]struct {
		files, env map[string]string
		registries []string
		config     string // TOML, compared by meaning
		wantEnv    map[string]string
		notes      int
	}{
		"nothing": {},
		"only what is about registries": {
			files:  map[string]string{"config.toml": "[build]\ntarget = 'x'\n[alias]\nb = 'build'\n[net]\nretry = 5\n[env]\nA = '1'\n"},
			config: "[net]\nretry = 5\n",
		},
		"tokens of both files": {
			files: map[string]string{
				"config.toml":      "[registries.my-own]\nindex = 'sparse+https://r.invalid/'\ntoken = '" + secret + "1'\n[registry]\ndefault = 'my-own'\n",
				"credentials.toml": "[registry]\ntoken = '" + secret + "2'\n[registries.other]\ntoken = '" + secret + "3'\nsecret-key = '" + secret + "'\n",
			},
			config:  "[registries.my-own]\nindex = 'sparse+https://r.invalid/'\n[registry]\ndefault = 'my-own'\n",
			wantEnv: map[string]string{"CARGO_REGISTRIES_MY_OWN_TOKEN": secret + "1", "CARGO_REGISTRY_TOKEN": secret + "2", "CARGO_REGISTRIES_OTHER_TOKEN": secret + "3"},
		},
		"old file names come first": {
			files:  map[string]string{"config": "[net]\nretry = 1\n", "config.toml": "[net]\nretry = 2\n"},
			config: "[net]\nretry = 1\n",
		},
		"proxy": {
			files:   map[string]string{"config.toml": "[http]\nproxy = 'http://me:" + secret + "@proxy.invalid:8080'\ntimeout = 3\n"},
			config:  "[http]\ntimeout = 3\n",
			wantEnv: map[string]string{"CARGO_HTTP_PROXY": "http://me:" + secret + "@proxy.invalid:8080"},
		},
		"the environment wins": {
			files:   map[string]string{"config.toml": "[http]\nproxy = 'a'\n", "credentials.toml": "[registries.own]\ntoken = 'b'\n"},
			env:     map[string]string{"CARGO_HTTP_PROXY": "c", "CARGO_REGISTRIES_OWN_TOKEN": "d", "CARGO_NET_RETRY": "9", "CARGO_BUILD_TARGET": "no"},
			wantEnv: map[string]string{"CARGO_HTTP_PROXY": "c", "CARGO_REGISTRIES_OWN_TOKEN": "d", "CARGO_NET_RETRY": "9"},
			// The name is known from the project.
			registries: []string{"own"},
		},
		"providers are programs of this machine": {
			files:  map[string]string{"config.toml": "[registry]\nglobal-credential-providers = ['cargo:libsecret']\n[registries.own]\nindex = 'https://r.invalid'\ncredential-provider = 'cargo:token'\n"},
			config: "[registries.own]\nindex = 'https://r.invalid'\n", notes: 1,
		},
		"git's user is no secret": {
			files:  map[string]string{"config.toml": "[registries.own]\nindex = 'ssh://git@r.invalid/i.git'\n"},
			config: "[registries.own]\nindex = 'ssh://git@r.invalid/i.git'\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := hostCargo(t, c.files, c.env, c.registries...)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(h.Config, secret) {
				t.Errorf("a secret is in what will be stored:\n%s", h.Config)
			}
			var got, want any
			if err := toml.Unmarshal([]byte(h.Config), &got); err != nil {
				t.Fatal(err)
			}
			if err := toml.Unmarshal([]byte(c.config), &want); err != nil {
				t.Fatal(err)
			}
			g, _ := toml.Marshal(got)
			w, _ := toml.Marshal(want)
			if string(g) != string(w) {
				t.Errorf("configuration:\n%s\nwant:\n%s", g, w)
			}
			if !maps.Equal(h.Env, c.wantEnv) {
				t.Errorf("environment %q, want %q", h.Env, c.wantEnv)
			}
			if len(h.Notes) != c.notes {
				t.Errorf("notes %q, want %d", h.Notes, c.notes)
			}
		})
	}
}

func TestHostCargoRefuses(t *testing.T) {
	for name, c := range map[string]struct{ config, want string }{
		"password in a source":  {"[source.x]\nregistry = 'https://me:hunter2@r.invalid/i'\n", "source.x.registry"},
		"password in an index":  {"[registries.x]\nindex = 'sparse+https://me:hunter2@r.invalid/i'\n", "registries.x.index: there is a password or user in the URL sparse+https://***@r.invalid/i"},
		"a token as the user":   {"[registries.x]\nindex = 'https://hunter2@r.invalid/i'\n", "registries.x.index"},
		"password with a slash": {"[source.x]\ngit = 'https://me:hunter2@r.invalid/a@b'\n", "source.x.git"},
		"does not parse":        {"[source\n", "config.toml"},
		"certificates missing":  {"[http]\ncainfo = '/nowhere/ca.pem'\n", "http.cainfo"},
	} {
		_, err := hostCargo(t, map[string]string{"config.toml": c.config}, nil)
		if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v; want a usage fault with %q", name, err, c.want)
		}
	}
}

func TestHostCargoCertificates(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ".cargo"), 0o777); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(dir, "own.pem"), []byte("PEM"), 0o600)
	os.WriteFile(filepath.Join(dir, ".cargo", "config.toml"), []byte("[http]\ncainfo = 'own.pem'\n"), 0o600)
	h, err := ReadHostCargo(func(k string) (string, bool) { return dir, k == "HOME" })
	if err != nil || string(h.CA) != "PEM" || h.Config != "" {
		t.Errorf("%+v, %v", h, err)
	}
	if h, err := ReadHostCargo(func(string) (string, bool) { return "", false }); err != nil || h.Config != "" {
		t.Errorf("without a home: %+v, %v", h, err)
	}
}
