package project

import (
	"path/filepath"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/tomldoc"
)

// remote reads [remote]. A project's own file cannot set it: results of a cache
// are kept in the store that all projects of a user share, and a token must not go
// to a server that a cloned project names.
func (o *opening) remote() RemoteConfig {
	x := o.layers
	if t := x.own.Get("remote"); t != nil && x.err == nil && t.Kind == tomldoc.Table {
		x.fail(fault.New(fault.Usage, o.Place(config.At(t.File(), t.Pos))+": [remote] is for all projects that share the store and belongs into the user's file",
			"export ESPALIER_REMOTE_CACHE=grpcs://HOST:PORT"))
		return RemoteConfig{}
	}
	file := func(key, env string) config.Value[string] {
		v := x.str(spec{name: "remote." + key, env: env})
		if v.V != "" {
			base := o.Dir
			if filepath.IsAbs(v.Origin.File) {
				base = filepath.Dir(v.Origin.File)
			}
			v.V = secretFile(base, v.V, x.lookup)
		}
		return v
	}
	return RemoteConfig{
		Cache:       x.str(spec{name: "remote.cache", env: "ESPALIER_REMOTE_CACHE"}),
		Execute:     x.str(spec{name: "remote.execute", env: "ESPALIER_REMOTE_EXECUTE"}),
		Runner:      file("runner", "ESPALIER_REMOTE_RUNNER"),
		Instance:    x.str(spec{name: "remote.instance", env: "ESPALIER_REMOTE_INSTANCE"}),
		Mode:        x.oneOf(spec{name: "remote.mode", env: "ESPALIER_REMOTE_MODE", def: "read"}, "read", "read-write"),
		TokenFile:   file("token-file", "ESPALIER_REMOTE_TOKEN_FILE"),
		TokenHeader: x.str(spec{name: "remote.token-header", env: "ESPALIER_REMOTE_TOKEN_HEADER"}),
		CA:          file("ca", "ESPALIER_REMOTE_CA"),
		Certificate: file("certificate", "ESPALIER_REMOTE_CERTIFICATE"),
		Key:         file("key", "ESPALIER_REMOTE_KEY"),
	}
}
