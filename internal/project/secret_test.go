package project

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const secretApp = app + "-- espalier.toml --\n" + `[secret]
PLAIN = {}
OTHER = { env = "CALLER_OTHER", stand-in = "12345678" }
IN_FILE = { file = "keys/token.txt" }
MANAGER = { command = ["pass", "show", "wifi"] }
[build.env]
PLAIN = { secret = true }
PASSWORD = { secret = "MANAGER" }
TOKEN = { secret = "IN_FILE" }
USER_ID = { secret = "OTHER" }
-- keys/token.txt --
t0ken
-- keys/public.txt --
text
`

func TestSecrets(t *testing.T) {
	dir := unpack(t, secretApp)
	env := map[string]string{"PLAIN": "p1", "CALLER_OTHER": "o1"}
	opts := Options{Lookup: func(n string) (string, bool) { v, ok := env[n]; return v, ok }}
	p, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, f := range p.Files {
		files = append(files, f.Path)
	}
	if slices.Contains(files, "keys/token.txt") || !slices.Contains(files, "keys/public.txt") {
		t.Errorf("the input tree has %q", files)
	}
	for _, s := range p.Espalier.Explain() {
		for _, secret := range []string{"p1", "o1", "t0ken"} {
			if strings.Contains(s.Value, secret) {
				t.Errorf("%s shows %s", s.Name, s.Value)
			}
		}
	}
	if err := p.CheckEnvValues(); err == nil {
		t.Error("values of a file and of a command are there before they were asked for")
	}
	asked := []string{}
	get := func(s Secret) (string, error) {
		asked = append(asked, s.Name)
		if s.File != "" && s.File != filepath.Join(dir, "keys", "token.txt") {
			return "", errors.New("file " + s.File)
		}
		return "value of " + s.Name, nil
	}
	if err := p.ResolveSecrets(get); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(asked, []string{"MANAGER", "IN_FILE"}) {
		t.Errorf("asked for %q", asked)
	}
	got := map[string]string{}
	for _, v := range p.Espalier.Build.Env {
		if !v.Secret {
			t.Errorf("%s is not secret", v.Name)
		}
		got[v.Name] = v.Value
	}
	if got["PLAIN"] != "p1" || got["USER_ID"] != "o1" || got["TOKEN"] != "value of IN_FILE" || got["PASSWORD"] != "value of MANAGER" {
		t.Errorf("values %q", got)
	}
	if err := p.CheckEnvValues(); err != nil {
		t.Error(err)
	}
	if p.Espalier.Net.Passphrase.V != "value of MANAGER" {
		t.Errorf("the emulated access point has the passphrase %q", p.Espalier.Net.Passphrase.V)
	}
	if names := p.UseStandIns(); !slices.Equal(names, []string{"PASSWORD", "PLAIN", "TOKEN", "USER_ID"}) {
		t.Errorf("stand-ins of %q", names)
	}
	for _, v := range p.Espalier.Build.Env {
		want := DefaultStandIn
		if v.Name == "USER_ID" {
			want = "12345678"
		}
		if v.Secret || v.Value != want {
			t.Errorf("%s = %q, secret %t", v.Name, v.Value, v.Secret)
		}
	}
}

func TestSecretsRefused(t *testing.T) {
	for _, tt := range []struct{ toml, want string }{
		{"[secret]\nX = \"value\"\n", "espalier.toml:2:5: secret.X: want {env ="},
		{"[secret]\nX = { file = \"a\", command = [\"b\"] }\n", "secret.X: want one of env, file and command"},
		{"[secret]\nX = { fil = \"a\" }\n", `unknown key "fil"`},
		{"[secret]\nX = { command = \"pass show x\" }\n", "command: want an array"},
		{"[secret]\nX = { command = [] }\n", "want one of env, file and command"},
		{"[secret]\n\"a b\" = {}\n", "letters, digits and _ only"},
		{"[build.env]\nX = { secret = 3 }\n", "secret: want a boolean"},
		{"[build.env]\nX = { secret = \"Y\", value = \"z\" }\n", "a secret must not be in a file"},
	} {
		_, err := Open(unpack(t, app+"-- espalier.toml --\n"+tt.toml), Options{})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.toml, err, tt.want)
		}
	}
	dir := unpack(t, app+"-- espalier.toml --\n[secret]\nX = { env = \"ELSEWHERE\" }\n[build.env]\nA = { secret = \"X\" }\n")
	p, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.CheckEnvValues(); err == nil || err.Error() != "espalier.toml:4:1: A comes from ELSEWHERE of the environment, which does not have it" {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "X")); err == nil {
		t.Error("something was written")
	}
}

// The emulated access point has the network that [nvs] names, before that of the
// program and after that of [net].
func TestNetworkOfNVS(t *testing.T) {
	const nvs = "[nvs.wifi]\nssid = \"stored\"\npassword = { secret = \"PSK\" }\n"
	const fromProgram = "[build.env]\nSSID = \"compiled\"\nPASSWORD = \"compiled too\"\n"
	for _, tt := range []struct{ name, toml, ssid, passphrase string }{
		{"environment", fromProgram + nvs, "stored", "psk of the environment"},
		{"command", fromProgram + "[secret]\nPSK = { command = [\"pass\"] }\n" + nvs, "stored", "psk of pass"},
		{"net", "[net]\nssid = \"net\"\npassphrase = \"of the net\"\n[secret]\nPSK = { command = [\"pass\"] }\n" + nvs, "net", "of the net"},
	} {
		p, err := Open(unpack(t, app+"-- espalier.toml --\n"+tt.toml), Options{Lookup: func(n string) (string, bool) { return "psk of the environment", n == "PSK" }})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.ResolveSecrets(func(s Secret) (string, error) { return "psk of " + s.Command[0], nil }); err != nil {
			t.Fatal(err)
		}
		if n := p.Espalier.Net; n.SSID.V != tt.ssid || n.Passphrase.V != tt.passphrase {
			t.Errorf("%s: %q, %q", tt.name, n.SSID.V, n.Passphrase.V)
		}
		for _, s := range p.Espalier.Explain() {
			if strings.Contains(s.Value, "psk of") {
				t.Errorf("%s shows %q", s.Name, s.Value)
			}
		}
	}
}
