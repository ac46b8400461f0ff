package crates

import (
	"context"
	"maps"
	"path"
	"strings"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

// Change says which packages of a Cargo.lock Update may move. The others stay
// unless one that moves needs them otherwise.
type Change struct {
	Packages []string // package specifications: "esp-hal", "nb@0.1.3"
	Precise  string   // of the only package: this version and no other
	Any      bool     // also versions that need a newer compiler than the project has
}

// Updated is the result of Update.
type Updated struct {
	Lock  []byte
	Index Index // of all crates that cargo has looked at; nil when cargo is too old to have one
}

// indexDir is where cargo keeps what it has read of the registries' indexes.
const indexDir = "/cargo/registry/index"

// Update changes versions of the Cargo.lock in the job's tree with the pinned
// cargo and the current registry index. Unless ch.Any, cargo prefers versions
// whose rust-version the project's compiler satisfies (cargo 1.84 and later).
// The error is a fault.Pins with cargo's own words when no versions fit
// together.
func (f *Fetcher) Update(ctx context.Context, j Job, ch Change) (_ Updated, err error) {
	if f.Offline {
		return Updated{}, fault.New(fault.Pins, "offline: choosing versions needs the network", "espalier update   # on a machine with a network")
	}
	task := f.Report.Start("choosing crate versions", progress.Crates, 0)
	defer func() { task.Done(err) }()
	argv := []string{layout.Cargo, "update"}
	for _, p := range ch.Packages {
		argv = append(argv, "--package", p)
	}
	switch {
	case ch.Precise != "":
		argv = append(argv, "--precise", ch.Precise)
	case len(ch.Packages) == 0:
		argv = append(argv, "--workspace")
	}
	outputs := []string{j.Lock}
	if j.Index {
		outputs = append(outputs, indexDir)
	}
	g := *f
	if !ch.Any {
		g.Host.Env = maps.Clone(f.Host.Env)
		if g.Host.Env == nil {
			g.Host.Env = map[string]string{}
		}
		g.Host.Env["CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS"] = "fallback"
	}
	res, _, err := g.networkStep(ctx, j, argv, outputs, task)
	if err != nil {
		return Updated{}, err
	}
	var out Updated
	if out.Lock, err = f.Store.ReadBlob(ctx, res.Outputs[j.Lock], 64<<20); err != nil {
		return out, err
	}
	if tree, ok := res.Trees[indexDir]; ok && j.Index {
		out.Index, err = f.readIndex(ctx, tree)
	}
	return out, err
}

// readIndex reads cargo's cache of the indexes: a file for each crate in
// <registry>/.cache/.
func (f *Fetcher) readIndex(ctx context.Context, tree store.Digest) (Index, error) {
	ix := Index{}
	err := f.Store.Walk(ctx, tree, func(e store.Entry) error {
		if e.Type != store.TypeFile || !strings.Contains(e.Path, "/.cache/") {
			return nil
		}
		r, err := f.Store.Open(ctx, e)
		if err != nil {
			return err
		}
		defer r.Close()
		list, err := parseIndexCache(r)
		if err != nil {
			f.Report.Note("the index of %s cannot be read: %v", path.Base(e.Path), err)
			return nil
		}
		for _, v := range list {
			ix[v.Name] = append(ix[v.Name], v)
		}
		return nil
	})
	ix.sort()
	return ix, err
}
