package git

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"github.com/kevinburke/ssh_config"

	"espalier.dev/espalier/internal/credential"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/gitconfig"
)

// connection is how one address is reached: the address after the user's
// replacements, and what the transport needs for it.
type connection struct {
	address  string
	auth     transport.AuthMethod
	ca       []byte
	insecure bool
	proxy    transport.ProxyOptions
}

// connect calls do with the connection for an address, at each location that
// the user's configuration has for it until one succeeds. The error is that of
// the last location, with the causes of the others before it.
func (f *Fetcher) connect(ctx context.Context, address string, do func(connection) error) error {
	var earlier strings.Builder
	locations := f.Config.Locations(address)
	for i, location := range locations {
		err := f.connectTo(ctx, location, do)
		switch {
		case err == nil || ctx.Err() != nil || len(locations) == 1:
			return err
		case i+1 == len(locations):
			kind := fault.KindOf(err)
			if kind == fault.Bug {
				kind = fault.Pins
			}
			return fault.Wrap(kind, err, earlier.String()+redact(location))
		}
		fmt.Fprintf(&earlier, "%s: %v; ", redact(location), err)
	}
	return nil // not reached: there is at least one location
}

// connectTo calls do with the connection for a location. As git does, it asks
// for a login only after a server has refused to answer without one, and tells
// the user's helpers whether it was accepted.
func (f *Fetcher) connectTo(ctx context.Context, location string, do func(connection) error) error {
	c := connection{address: location}
	ep, err := transport.NewEndpoint(c.address)
	if err != nil {
		return err
	}
	switch ep.Protocol {
	case "http", "https":
		return f.connectHTTP(ctx, c, do)
	case "ssh":
		if c.auth, err = f.sshKeys(ep); err != nil {
			return err
		}
	}
	return do(c)
}

func (f *Fetcher) connectHTTP(ctx context.Context, c connection, do func(connection) error) error {
	set := f.Config.HTTP(c.address)
	c.insecure, c.proxy.URL = set.Insecure, set.Proxy
	if set.CAFile != "" {
		b, err := os.ReadFile(set.CAFile)
		if err != nil {
			return fault.Wrap(fault.Usage, err, "http.sslCAInfo of git's configuration")
		}
		c.ca = b
	}
	h := headers{set: http.Header{}}
	for _, line := range set.Headers {
		name, value, _ := strings.Cut(line, ":")
		h.set.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	if len(h.set) > 0 {
		c.auth = h
	}
	err := do(c)
	if !refused(err) {
		return err
	}
	logins := credential.Source{Config: f.Config, Lookup: f.env, Home: f.Home}
	login, ok, ferr := logins.Find(ctx, c.address)
	if ferr != nil {
		return fault.Wrap(fault.Pins, ferr, err.Error())
	}
	if !ok {
		return fault.Wrap(fault.Pins, err, "", "a login is needed: git config credential.helper, a line in ~/.netrc, or GIT_ASKPASS; git ls-remote "+redact(c.address)+" must work")
	}
	h.user, h.password = login.User, login.Password
	c.auth = h
	err = do(c)
	if refused(err) || err == nil {
		logins.Report(ctx, c.address, login, err == nil)
	}
	return err
}

// refused reports whether a server wants a login, or another one.
func refused(err error) bool {
	return errors.Is(err, transport.ErrAuthenticationRequired) || errors.Is(err, transport.ErrAuthorizationFailed)
}

// headers is what is added to every request: http.extraHeader, and a login.
type headers struct {
	set            http.Header
	user, password string
}

// Name implements transport.AuthMethod.
func (h headers) Name() string { return "http headers" }

// String does not show what the headers are: they hold logins.
func (h headers) String() string { return "http headers" }

// SetAuth implements the HTTP transport's AuthMethod.
func (h headers) SetAuth(r *http.Request) {
	for name, values := range h.set {
		r.Header[name] = append([]string(nil), values...)
	}
	if h.password != "" {
		r.SetBasicAuth(h.user, h.password)
	}
}

var _ githttp.AuthMethod = headers{}

// sshKeys chooses the keys for an SSH server: the agent's when there is one,
// else the first key file without a passphrase, of IdentityFile in ssh_config
// and then of the usual names. Host keys are checked against known_hosts.
func (f *Fetcher) sshKeys(ep *transport.Endpoint) (transport.AuthMethod, error) {
	if sock, ok := f.env("SSH_AUTH_SOCK"); ok && sock != "" || f.Home == "" {
		return nil, nil // the transport asks the agent
	}
	user := ep.User
	if user == "" {
		user = "git"
	}
	var names []string
	if name := ssh_config.Get(ep.Host, "IdentityFile"); name != "" && name != "~/.ssh/identity" {
		names = append(names, name)
	}
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		names = append(names, filepath.Join(f.Home, ".ssh", "id_"+kind))
	}
	var failed error
	for _, name := range names {
		if rest, ok := strings.CutPrefix(name, "~/"); ok {
			name = filepath.Join(f.Home, rest)
		}
		if _, err := os.Stat(name); err != nil {
			continue
		}
		keys, err := gitssh.NewPublicKeysFromFile(user, name, "")
		if err == nil {
			return keys, nil
		}
		failed = fmt.Errorf("key %s: %w", name, err)
	}
	if failed != nil {
		return nil, fault.Wrap(fault.Pins, failed, "", "ssh-add   # a key with a passphrase is used through the agent")
	}
	return nil, fault.New(fault.Pins, "no SSH agent and no key file in ~/.ssh", "eval $(ssh-agent) && ssh-add")
}

// Access has the settings of the user that a fetch uses.
type Access struct {
	Config *gitconfig.Config
	Lookup func(string) (string, bool) // the environment
	Home   string                      // "" when the user has none
}

// env reads the environment; the zero Access has none.
func (a Access) env(name string) (string, bool) {
	if a.Lookup == nil {
		return "", false
	}
	return a.Lookup(name)
}
