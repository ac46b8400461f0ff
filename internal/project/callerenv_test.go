package project

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"espalier.dev/espalier/emu/defaultnet"
)

func TestCallerEnv(t *testing.T) {
	src := func(names ...string) string {
		s := app
		for _, n := range names {
			s += "const X_" + n + ": &str = env!(\"" + n + "\");\n"
		}
		return s
	}
	for _, c := range []struct {
		name, files string
		env         map[string]string
		emulated    bool
		want        map[string]string // of the build's environment
		secret      []string
		defaulted   []string
		ssid, pass  string // of the access point
		missing     string // in the fault of CheckEnv
	}{
		{"from the environment", src("SSID", "WIFI_PASS"), map[string]string{"SSID": "home", "WIFI_PASS": "long enough"}, false,
			map[string]string{"SSID": "home", "WIFI_PASS": "long enough"}, []string{"WIFI_PASS"}, nil, "home", "long enough", ""},
		{"one is missing", src("SSID", "PASSWORD"), map[string]string{"SSID": "home"}, false,
			map[string]string{"SSID": "home"}, nil, nil, "home", defaultnet.Passphrase, "env!(\"PASSWORD\") needs a value"},
		{"the emulated network's", src("WIFI_SSID", "WIFI_PASSWORD"), nil, true,
			map[string]string{"WIFI_SSID": defaultnet.SSID, "WIFI_PASSWORD": defaultnet.Passphrase}, nil, []string{"WIFI_PASSWORD", "WIFI_SSID"}, defaultnet.SSID, defaultnet.Passphrase, ""},
		{"one of each", src("SSID", "PASSWORD"), map[string]string{"SSID": "home"}, true,
			map[string]string{"SSID": "home", "PASSWORD": defaultnet.Passphrase}, nil, []string{"PASSWORD"}, "home", defaultnet.Passphrase, ""},
		{"[net] names the network", src("SSID", "PASSWORD") + "-- espalier.toml --\n[net]\nssid = 'lab'\npassphrase = 'of the lab'\n", nil, true,
			map[string]string{"SSID": "lab", "PASSWORD": "of the lab"}, nil, []string{"PASSWORD", "SSID"}, "lab", "of the lab", ""},
		{"not a network's", src("MQTT_PASSWORD", "SERVER"), nil, true, nil, nil, nil, defaultnet.SSID, defaultnet.Passphrase, "MQTT_PASSWORD"},
		{"declared", src("SSID") + "-- .cargo/config.toml --\n[env]\nSSID = 'x'\n", map[string]string{"SSID": "home"}, true, nil, nil, nil, "x", defaultnet.Passphrase, ""},
		{"optional", app + "const X: Option<&str> = option_env!(\"SSID\");\n", map[string]string{"SSID": "home"}, true, nil, nil, nil, defaultnet.SSID, defaultnet.Passphrase, ""},
		{"not the caller's to set", src("CARGO_HOME"), map[string]string{"CARGO_HOME": "/home/me"}, false, nil, nil, nil, defaultnet.SSID, defaultnet.Passphrase, "CARGO_HOME"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Open(unpack(t, c.files), Options{Emulated: c.emulated, Lookup: func(n string) (string, bool) { v, ok := c.env[n]; return v, ok }})
			if err != nil {
				t.Fatal(err)
			}
			got, secret := map[string]string{}, []string(nil)
			for _, v := range p.Espalier.Build.Env {
				got[v.Name] = v.Value
				if v.Secret {
					secret = append(secret, v.Name)
				}
			}
			if c.want == nil {
				c.want = map[string]string{}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			if !slices.Equal(secret, c.secret) {
				t.Errorf("secret %q, want %q", secret, c.secret)
			}
			if _, d := p.CallerEnv(); !slices.Equal(d, c.defaulted) {
				t.Errorf("defaulted %q, want %q", d, c.defaulted)
			}
			if n := p.Espalier.Net; n.SSID.V != c.ssid || n.Passphrase.V != c.pass {
				t.Errorf("access point %q %q", n.SSID.V, n.Passphrase.V)
			}
			err = p.CheckEnv()
			if (c.missing == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.missing) {
				t.Errorf("CheckEnv: %v, want %q", err, c.missing)
			}
			for _, s := range p.Espalier.Explain() {
				if strings.Contains(s.Value, "long enough") || strings.Contains(s.Value, "of the lab") {
					t.Errorf("%s shows the passphrase", s.Name)
				}
			}
		})
	}
}

func TestEnvNames(t *testing.T) {
	p := open(t, unpack(t, app+"const A: &str = env!(\"SSID\");\n-- src/bin/b.rs --\nconst B: &str = env!(\"TOKEN\");\n"+
		"-- examples/e.rs --\nconst C: &str = env!(\"URL\");\n-- tests/t.rs --\nconst D: &str = env!(\"NO\");\n"))
	got, err := p.EnvNames()
	if err != nil || !slices.Equal(got, []string{"SSID", "TOKEN", "URL"}) {
		t.Errorf("%q, %v", got, err)
	}
}
