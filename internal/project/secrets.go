package project

import (
	"path"
	"path/filepath"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/config"
)

// Every file of the input tree reaches the store, which others may read, and
// URLs reach the lock as well. So a project that keeps a token or a password
// where cargo allows it is refused; nothing of it is in the message. Values of
// [env] are no such thing: they are there to get into the firmware.

const aptHint = "put the login into apt's auth.conf, see apt_auth.conf(5), or [supply] into the user's file: espalier doctor --config"

// checkSecrets looks into the files of the tree that espalier did not have to
// read for other reasons.
func checkSecrets(l *config.Reader, p *Project, w *cargo.Workspace) error {
	read := map[string]bool{}
	for _, f := range p.Cargo.Files {
		read[f] = true
	}
	for _, f := range p.Files {
		abs := filepath.Join(p.Root, filepath.FromSlash(f.Path))
		if !isCargoConfig(f.Path) || read[abs] {
			continue
		}
		n, err := l.TOML(abs)
		if err != nil || n == nil {
			continue // cargo does not read it either
		}
		if err := cargo.CheckConfigSecrets(l, n); err != nil {
			return err
		}
	}
	if err := w.CheckSecrets(l); err != nil {
		return err
	}
	if p.Espalier.Path == "" {
		return nil
	}
	n, err := l.TOML(p.Espalier.Path)
	if err != nil {
		return err
	}
	return cargo.CheckURLSecrets(l, n.Get("supply"), "supply", aptHint)
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
