package project

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/fault"
)

// A token or password in a project's own files would reach the store. The
// message says where it is and does not repeat it.
func TestSecretsInProject(t *testing.T) {
	const token = "hunter2correct"
	dep := func(line string) string {
		return strings.Replace(app, "edition = \"2021\"\n", "edition = \"2021\"\n[dependencies]\n"+line+"\n", 1)
	}
	for _, c := range []struct{ name, files, want, hint string }{
		{"registry token", app + "-- .cargo/config.toml --\n[registry]\ntoken = \"" + token + "\"\n", ".cargo/config.toml:2:9: registry.token is here", "cargo login"},
		{"token of a registry", app + "-- .cargo/config.toml --\n[registries.own]\nindex = \"sparse+https://own.invalid/\"\ntoken = \"" + token + "\"\n", ".cargo/config.toml:3:9: registries.own.token is here", "cargo login --registry own"},
		{"secret key", app + "-- .cargo/config.toml --\n[registries.my-own]\nsecret-key = \"" + token + "\"\n", ".cargo/config.toml:2:14: registries.my-own.secret-key is here", "CARGO_REGISTRIES_MY_OWN_TOKEN"},
		{"dotted", app + "-- .cargo/config.toml --\nregistries.own.token = \"" + token + "\"\n", ".cargo/config.toml:1:24: registries.own.token", ""},
		{"old name", app + "-- .cargo/config --\n[registry]\ntoken = \"" + token + "\"\n", ".cargo/config:2:9: ", ""},
		{"included", app + "-- .cargo/config.toml --\ninclude = [\"more/own.toml\"]\n-- .cargo/more/own.toml --\n[registry]\ntoken = \"" + token + "\"\n", ".cargo/more/own.toml:2:9: ", ""},
		{"not the one that cargo reads", app + "-- .cargo/config --\n-- .cargo/config.toml --\n[registry]\ntoken = \"" + token + "\"\n", ".cargo/config.toml:2:9: ", ""},
		{"in another folder", app + "-- tools/.cargo/config.toml --\n[registry]\ntoken = \"" + token + "\"\n", "tools/.cargo/config.toml:2:9: ", ""},
		{"ignored by git", app + "-- .gitignore --\n.cargo\n-- .cargo/config.toml --\n[registry]\ntoken = \"" + token + "\"\n", ".cargo/config.toml:2:9: ", ""},
		{"password in an index", app + "-- .cargo/config.toml --\n[registries.own]\nindex = \"sparse+https://me:" + token + "@own.invalid/index/\"\n", ".cargo/config.toml:2:9: registries.own.index: a password or token is in the address sparse+https://***@own.invalid/index/", "cargo login"},
		{"token in a source", app + "-- .cargo/config.toml --\n[source.crates-io]\nreplace-with = \"m\"\n[source.m]\nregistry = \"https://" + token + "@m.invalid\"\n", ".cargo/config.toml:4:12: source.m.registry", ""},
		{"proxy", app + "-- .cargo/config.toml --\n[http]\nproxy = \"http://me:" + token + "@proxy.invalid:3128\"\n", ".cargo/config.toml:2:9: http.proxy", ""},
		{"patch in the configuration", app + "-- .cargo/config.toml --\n[patch.\"https://me:" + token + "@f.invalid/x\"]\nx = { git = \"https://f.invalid/y\" }\n", ".cargo/config.toml:1:8: patch", ""},
		{"git dependency", dep("x = { git = \"https://" + token + "@f.invalid/x.git\" }"), "Cargo.toml:6:13: dependencies.x.git: a password or token is in the address https://***@f.invalid/x.git", "ssh://git@"},
		{"git dependency of a target", dep("[target.'cfg(any())'.dev-dependencies]\nx = { git = \"https://me:" + token + "@f.invalid/x\" }"), "Cargo.toml:7:13: dev-dependencies.x.git", ""},
		{"patch", app[:strings.Index(app, "-- src")] + "[patch.crates-io]\nx = { git = \"ssh://me:" + token + "@f.invalid/x\" }\n" + app[strings.Index(app, "-- src"):], "patch.crates-io.x.git", ""},
		{"lock", app + "-- Cargo.lock --\nversion = 4\n[[package]]\nname = \"x\"\nversion = \"1.0.0\"\nsource = \"git+https://me:" + token + "@f.invalid/x#0123456789012345678901234567890123456789\"\n", "Cargo.lock:2:3: package x: a password or token is in the address git+https://***@f.invalid/x", ""},
		{"espalier.toml", app + "-- espalier.toml --\n[supply]\nprefixes = [\"https://me:" + token + "@mirror.invalid/debian/\"]\n", "espalier.toml:2:13: supply.prefixes", "auth.conf"},

		{"no secrets", dep("x = { git = \"ssh://git@f.invalid/x.git\" }\ny = { git = \"https://f.invalid/@y\" }\nz = { git = \"ssh://me@f.invalid/z\" }") +
			"-- .cargo/config.toml --\n[env]\nPASSWORD = \"" + token + "\"\nBROKER = \"mqtt://me:" + token + "@broker.invalid\"\n[registries.own]\nindex = \"sparse+https://own.invalid/\"\n[alias]\nx = \"run -- https://a:b@c\"\n", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(unpack(t, c.files), Options{})
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %s", err, c.want)
			}
			all := err.Error() + strings.Join(fault.Hints(err), "\n")
			if strings.Contains(all, token) || len(fault.Hints(err)) == 0 || !strings.Contains(all, c.hint) {
				t.Errorf("%s", all)
			}
		})
	}
}

// Cargo's credentials are no input, wherever its home is.
func TestCredentialsAreLeftOut(t *testing.T) {
	dir := unpack(t, app+"-- .cargo/credentials.toml --\n[registry]\ntoken = \"x\"\n-- .cargo/credentials --\n-- .cargo/config.toml --\n-- src/credentials.toml --\n")
	p := open(t, dir)
	got := paths(p.Files)
	if slices.Contains(got, ".cargo/credentials") || slices.Contains(got, ".cargo/credentials.toml") || !slices.Contains(got, ".cargo/config.toml") || !slices.Contains(got, "src/credentials.toml") {
		t.Errorf("%q", got)
	}
	if _, err := os.Stat(filepath.Join(dir, ".cargo", "credentials.toml")); err != nil {
		t.Error(err)
	}
}
