package workspace

import (
	"debug/elf"
	"io"
	"net/url"
	"os"
	"runtime"
	"strings"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/credential"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/remote"
	"espalier.dev/espalier/internal/supply/fetch"
)

// Cache returns the shared cache of a configuration, which is that of its cluster
// if it names no other; nil when there is none, and offline.
func (o Opener) Cache(c project.RemoteConfig) (*remote.Cache, error) {
	if c.Cache.V == "" {
		c.Cache.V = c.Execute.V // a cluster has a cache
	}
	if c.Cache.V == "" || o.Offline {
		return nil, nil
	}
	cfg, err := o.remote(c)
	if err != nil {
		return nil, err
	}
	cfg.Address = c.Cache.V
	return remote.New(cfg)
}

// Cluster returns the cluster of a configuration that runs steps; nil when there
// is none, and offline. Its storage is the shared cache if that has the same
// protocol. local runs what the cluster does not.
func (o Opener) Cluster(c project.RemoteConfig, local action.Executor) (*remote.Cluster, error) {
	if c.Execute.V == "" || o.Offline {
		return nil, nil
	}
	cfg, err := o.remote(c)
	if err != nil {
		return nil, err
	}
	cfg.Address = c.Execute.V
	storage := cfg
	if strings.HasPrefix(c.Cache.V, "grpc") {
		storage.Address = c.Cache.V
	}
	e, err := remote.NewCluster(cfg, storage)
	if err != nil {
		return nil, err
	}
	if runtime.GOOS == "linux" {
		e.Local = local
	}
	e.Program, err = runner(c.Runner.V)
	return e, err
}

// runner opens the program for the workers, after a look at what it is: on them
// it has no libraries of this machine.
func runner(name string) (func() (io.ReadCloser, error), error) {
	hint := "export ESPALIER_REMOTE_RUNNER=/path/to/espalier   # the program for Linux"
	if name == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fault.Wrap(fault.Usage, err, "finding the program espalier", hint)
		}
		name = self
	}
	f, err := elf.Open(name)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "the program for the workers of a cluster, "+name, hint)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return nil, fault.New(fault.Usage, "the program for the workers of a cluster, "+name+", is not linked statically", hint, "CGO_ENABLED=0 go install ./cmd/espalier")
		}
	}
	return func() (io.ReadCloser, error) { return os.Open(name) }, nil
}

// remote is what the connections to all servers have in common.
func (o Opener) remote(c project.RemoteConfig) (remote.Config, error) {
	token, _ := o.Lookup("ESPALIER_REMOTE_TOKEN")
	if token == "" && c.TokenFile.V != "" {
		var err error
		if token, err = credential.File(c.TokenFile.V); err != nil {
			return remote.Config{}, fault.Wrap(fault.Usage, err, "reading the token of the cache from "+c.TokenFile.V)
		}
	}
	getenv := func(name string) string { v, _ := o.Lookup(name); return v }
	choose := fetch.EnvironProxy(getenv)
	return remote.Config{
		Instance: c.Instance.V, Write: c.Mode.V == "read-write",
		Token: token, TokenHeader: c.TokenHeader.V,
		CA: c.CA.V, Certificate: c.Certificate.V, Key: c.Key.V,
		Proxy:  func(u *url.URL) (*url.URL, error) { return choose(u) },
		Report: o.UI, Warn: func(text string) { o.UI.Note("%s", text) }, Debug: o.UI.Debugf,
	}, nil
}
