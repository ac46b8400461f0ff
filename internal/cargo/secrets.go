package cargo

import (
	"strings"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/tomldoc"
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

// CheckConfigSecrets refuses a token or password in one file of cargo's
// configuration.
func CheckConfigSecrets(l *config.Reader, n *tomldoc.Node) error {
	for _, k := range tokenKeys {
		if t := n.Get("registry", k); t != nil {
			return secretFault(l, t, "registry."+k+" is here", "cargo login   # keeps it in cargo's own credentials.toml", "CARGO_REGISTRY_TOKEN=... espalier lock   # or in the environment")
		}
		for _, name := range keysOf(n.Get("registries")) {
			if t := n.Get("registries", name, k); t != nil {
				return secretFault(l, t, "registries."+name+"."+k+" is here", "cargo login --registry "+name+"   # keeps it in cargo's own credentials.toml",
					"CARGO_REGISTRIES_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))+"_TOKEN=... espalier lock   # or in the environment")
			}
		}
	}
	for _, table := range fetchTables {
		if err := CheckURLSecrets(l, n.Get(table), table, loginHint); err != nil {
			return err
		}
	}
	return nil
}

// manifestSecrets checks the addresses of a manifest's dependencies.
func manifestSecrets(l *config.Reader, n *tomldoc.Node) error {
	tables := []*tomldoc.Node{n, n.Get("workspace")}
	for _, name := range keysOf(n.Get("target")) {
		tables = append(tables, n.Get("target", name))
	}
	for _, t := range tables {
		for _, table := range []string{"dependencies", "dev-dependencies", "build-dependencies", "patch", "replace"} {
			if err := CheckURLSecrets(l, t.Get(table), table, sshHint); err != nil {
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

// CheckURLSecrets looks for addresses with a password or a token in front of the
// host, also in keys ([patch."https://…"]).
func CheckURLSecrets(l *config.Reader, n *tomldoc.Node, key string, hint string) error {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case tomldoc.String:
		if shown, secret := urlSecret(n.Text); secret {
			return secretFault(l, n, key+": a password or token is in the address "+shown, hint)
		}
	case tomldoc.Array:
		for _, e := range n.Elem {
			if err := CheckURLSecrets(l, e, key, hint); err != nil {
				return err
			}
		}
	case tomldoc.Table:
		for _, k := range n.Keys {
			if shown, secret := urlSecret(k.Name); secret {
				return secretFaultAt(l, n, k.Pos, key+": a password or token is in the address "+shown, hint)
			}
			if err := CheckURLSecrets(l, k.Value, key+"."+k.Name, hint); err != nil {
				return err
			}
		}
	}
	return nil
}

const (
	loginHint = "cargo login --registry NAME   # keeps a token in cargo's own credentials.toml; leave the address public"
	sshHint   = `git = "ssh://git@HOST/PATH"   # an address without a password; the login comes from your SSH agent`
)

func secretFault(l *config.Reader, n *tomldoc.Node, text string, hints ...string) error {
	return secretFaultAt(l, n, n.Pos, text, hints...)
}

func secretFaultAt(l *config.Reader, n *tomldoc.Node, at tomldoc.Pos, text string, hints ...string) error {
	return l.Fault(n.ErrorAt(at, "%s, and a project's files reach the store, which others may read", text), hints...)
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

// CheckSecrets refuses addresses with a password or token in the manifests and
// in Cargo.lock. Nothing of a secret is in the message.
func (w *Workspace) CheckSecrets(r *config.Reader) error {
	for _, m := range w.manifests {
		if err := manifestSecrets(r, m.toml); err != nil {
			return err
		}
		if m.root != nil {
			if err := manifestSecrets(r, m.root.toml); err != nil {
				return err
			}
		}
	}
	if w.Lock == nil {
		return nil
	}
	for _, pkg := range w.Lock.Packages {
		if shown, secret := urlSecret(pkg.Source); secret {
			return fault.New(fault.Usage, r.Place(pkg.Origin)+": package "+pkg.Name+": a password or token is in the address "+shown+
				", and a project's files reach the store, which others may read", sshHint)
		}
	}
	return nil
}
