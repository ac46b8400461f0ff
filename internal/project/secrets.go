package project

import (
	"path"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project/tomldoc"
)

// Every file of the input tree reaches the store, which others may read, and
// URLs reach the lock as well. So a project that keeps a token or a password
// where cargo allows it is refused; nothing of it is in the message. Values of
// [env] are no such thing: they are there to get into the firmware.

// A credential is looked for where cargo reads one.
var (
	tokenKeys   = []string{"token", "secret-key"}
	fetchTables = []string{"registry", "registries", "source", "http", "patch"}
)

// configSecrets checks one file of cargo's configuration.
func (l *loader) configSecrets(n *tomldoc.Node) error {
	for _, k := range tokenKeys {
		if t := n.Get("registry", k); t != nil {
			return l.secretFault(t, "registry."+k+" is here", "cargo login   # keeps it in cargo's own credentials.toml", "CARGO_REGISTRY_TOKEN=... espalier lock   # or in the environment")
		}
		for _, name := range keysOf(n.Get("registries")) {
			if t := n.Get("registries", name, k); t != nil {
				return l.secretFault(t, "registries."+name+"."+k+" is here", "cargo login --registry "+name+"   # keeps it in cargo's own credentials.toml",
					"CARGO_REGISTRIES_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))+"_TOKEN=... espalier lock   # or in the environment")
			}
		}
	}
	for _, table := range fetchTables {
		if err := l.urlSecrets(n.Get(table), table, loginHint); err != nil {
			return err
		}
	}
	return nil
}

// manifestSecrets checks the addresses of a manifest's dependencies.
func (l *loader) manifestSecrets(n *tomldoc.Node) error {
	tables := []*tomldoc.Node{n, n.Get("workspace")}
	for _, name := range keysOf(n.Get("target")) {
		tables = append(tables, n.Get("target", name))
	}
	for _, t := range tables {
		for _, table := range []string{"dependencies", "dev-dependencies", "build-dependencies", "patch", "replace"} {
			if err := l.urlSecrets(t.Get(table), table, sshHint); err != nil {
				return err
			}
		}
	}
	return nil
}

func keysOf(n *tomldoc.Node) []string {
	if n == nil || n.Kind != tomldoc.Table {
		return nil
	}
	var out []string
	for _, k := range n.Keys {
		out = append(out, k.Name)
	}
	return out
}

// urlSecrets looks for addresses with a password or a token in front of the
// host, also in keys ([patch."https://…"]).
func (l *loader) urlSecrets(n *tomldoc.Node, key string, hint string) error {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case tomldoc.String:
		if shown, secret := urlSecret(n.Text); secret {
			return l.secretFault(n, key+": a password or token is in the address "+shown, hint)
		}
	case tomldoc.Array:
		for _, e := range n.Elem {
			if err := l.urlSecrets(e, key, hint); err != nil {
				return err
			}
		}
	case tomldoc.Table:
		for _, k := range n.Keys {
			if shown, secret := urlSecret(k.Name); secret {
				return l.secretFaultAt(n, k.Pos, key+": a password or token is in the address "+shown, hint)
			}
			if err := l.urlSecrets(k.Value, key+"."+k.Name, hint); err != nil {
				return err
			}
		}
	}
	return nil
}

const (
	loginHint = "cargo login --registry NAME   # keeps a token in cargo's own credentials.toml; leave the address as everybody may see it"
	sshHint   = `git = "ssh://git@HOST/PATH"   # an address as everybody may see it; the login comes from your SSH agent`
	aptHint   = "put the login into apt's auth.conf, see apt_auth.conf(5), or [supply] into the user's file: espalier doctor --config"
)

func (l *loader) secretFault(n *tomldoc.Node, text string, hints ...string) error {
	return l.secretFaultAt(n, n.Pos, text, hints...)
}

func (l *loader) secretFaultAt(n *tomldoc.Node, at tomldoc.Pos, text string, hints ...string) error {
	return l.fault(n.ErrorAt(at, "%s, and a project's files reach the store, which others may read", text), hints...)
}

// urlSecret reports whether an address carries a password, or a user name that
// is a token, and how it may be shown. "git" is the user of every git server,
// and a login of SSH is no secret.
func urlSecret(s string) (shown string, secret bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return "", false
	}
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	i := strings.LastIndexByte(authority, '@')
	if i < 0 {
		return "", false
	}
	user, password, has := strings.Cut(authority[:i], ":")
	if !has && (user == "git" || user == "" || strings.HasSuffix(scheme, "ssh")) || has && password == "" && user == "git" {
		return "", false
	}
	return scheme + "://***@" + rest[i+1:], true
}

// checkSecrets looks into the files of the tree that espalier did not have to
// read for other reasons.
func (l *loader) checkSecrets(p *Project, w *workspace) error {
	read := map[string]bool{}
	for _, f := range p.Cargo.Files {
		read[f] = true
	}
	for _, f := range p.Files {
		abs := filepath.Join(p.Root, filepath.FromSlash(f.Path))
		if !isCargoConfig(f.Path) || read[abs] {
			continue
		}
		n, err := l.toml(abs)
		if err != nil || n == nil {
			continue // cargo does not read it either
		}
		if err := l.configSecrets(n); err != nil {
			return err
		}
	}
	for _, m := range append(append([]*manifest{w.root}, w.members...), w.others...) {
		if err := l.manifestSecrets(m.toml); err != nil {
			return err
		}
		if m.root != nil {
			if err := l.manifestSecrets(m.root.toml); err != nil {
				return err
			}
		}
	}
	if p.CargoLock != nil {
		for _, pkg := range p.CargoLock.Packages {
			if shown, secret := urlSecret(pkg.Source); secret {
				o := pkg.Origin
				o.File = l.show(o.File)
				return fault.New(fault.Usage, o.String()+": package "+pkg.Name+": a password or token is in the address "+shown+
					", and a project's files reach the store, which others may read", sshHint)
			}
		}
	}
	if p.Espalier.Path == "" {
		return nil
	}
	n, err := l.toml(p.Espalier.Path)
	if err != nil {
		return err
	}
	return l.urlSecrets(n.Get("supply"), "supply", aptHint)
}

func isCargoConfig(name string) bool {
	base := path.Base(name)
	return path.Base(path.Dir(name)) == ".cargo" && (base == "config" || base == "config.toml")
}

// isCredentials recognises the files in which cargo keeps tokens when its home
// is the project's .cargo. No build reads them.
func isCredentials(abs, name string) bool {
	return (name == "credentials" || name == "credentials.toml") && filepath.Base(filepath.Dir(abs)) == ".cargo"
}
