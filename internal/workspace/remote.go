package workspace

import (
	"net/url"

	"espalier.dev/espalier/internal/credential"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/remote"
	"espalier.dev/espalier/internal/supply/fetch"
)

// Cache returns the shared cache of a configuration; nil when there is none, and
// offline.
func (o Opener) Cache(c project.RemoteConfig) (*remote.Cache, error) {
	if c.Cache.V == "" || o.Offline {
		return nil, nil
	}
	token, _ := o.Lookup("ESPALIER_REMOTE_TOKEN")
	if token == "" && c.TokenFile.V != "" {
		var err error
		if token, err = credential.File(c.TokenFile.V); err != nil {
			return nil, fault.Wrap(fault.Usage, err, "reading the token of the cache from "+c.TokenFile.V)
		}
	}
	getenv := func(name string) string { v, _ := o.Lookup(name); return v }
	choose := fetch.EnvironProxy(getenv)
	return remote.New(remote.Config{
		Address: c.Cache.V, Instance: c.Instance.V, Write: c.Mode.V == "read-write",
		Token: token, TokenHeader: c.TokenHeader.V,
		CA: c.CA.V, Certificate: c.Certificate.V, Key: c.Key.V,
		Proxy:  func(u *url.URL) (*url.URL, error) { return choose(u) },
		Report: o.UI, Warn: func(text string) { o.UI.Note("%s", text) }, Debug: o.UI.Debugf,
	})
}
