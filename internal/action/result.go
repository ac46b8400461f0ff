package action

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"espalier.dev/espalier/internal/reapi"
	"espalier.dev/espalier/internal/store"
)

// Save stores a result under its Digest. A result with an exit code other than
// 0 is an error; one that is not hermetic is stored in a separate area that is
// never shared. The Action of a step with network or secrets has do_not_cache
// set; when it is in the store, Save returns an error.
func Save(ctx context.Context, st *store.Store, r Result) error {
	var a reapi.Action
	err := read(ctx, st, r.Digest, &a)
	if err != nil && !errors.Is(err, store.ErrMissing) {
		return err
	}
	if a.DoNotCache {
		return fmt.Errorf("action %s uses the network or secrets: its result must not be stored", r.Digest)
	}
	p, err := ToProto(ctx, st, r)
	if err != nil {
		return err
	}
	return st.PutResult(ctx, r.Digest, p, r.Hermetic)
}

// Load returns the result of an action with Cached set. If hermetic, it ignores
// results that were made without the complete sandbox. The error is
// store.ErrMissing when there is no result, or when an output that it names is
// not in the store: the step has to run.
func Load(ctx context.Context, st *store.Store, action store.Digest, hermetic bool) (Result, error) {
	p, isHermetic, err := st.Result(ctx, action, hermetic)
	if err != nil {
		return Result{}, err
	}
	r, err := FromProto(ctx, st, p)
	if err != nil {
		return Result{}, err
	}
	r.Digest, r.Hermetic, r.Cached = action, isHermetic, true
	return r, nil
}

// ToProto returns a result as an REAPI ActionResult. Output paths are those of
// the Command, below "out". Directories have the digest of their root Directory
// and of their Tree message, which other clients and servers expect; ToProto
// stores the latter.
func ToProto(ctx context.Context, st *store.Store, r Result) (*reapi.ActionResult, error) {
	p := &reapi.ActionResult{ExitCode: int32(r.ExitCode)}
	for _, name := range slices.Sorted(maps.Keys(r.Outputs)) {
		if _, both := r.Trees[name]; both {
			return nil, fmt.Errorf("output %q is a file and a directory", name)
		}
		p.OutputFiles = append(p.OutputFiles, &reapi.OutputFile{Path: outputPath(name), Digest: r.Outputs[name].ToProto()})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Trees)) {
		tree, err := st.PutTreeMessage(ctx, r.Trees[name])
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", name, err)
		}
		p.OutputDirectories = append(p.OutputDirectories, &reapi.OutputDirectory{
			Path: outputPath(name), TreeDigest: tree.ToProto(),
			RootDirectoryDigest: r.Trees[name].ToProto(), IsTopologicallySorted: true,
		})
	}
	if !r.Stdout.IsZero() {
		p.StdoutDigest = r.Stdout.ToProto()
	}
	if !r.Stderr.IsZero() {
		p.StderrDigest = r.Stderr.ToProto()
	}
	return p, nil
}

// FromProto is the inverse of ToProto; the caller sets Digest, Hermetic and
// Cached. If a directory only has a Tree message, as with most servers, its
// Directory messages are written to the store; the Tree message itself must be
// in the store.
func FromProto(ctx context.Context, st *store.Store, p *reapi.ActionResult) (Result, error) {
	r := Result{ExitCode: int(p.ExitCode), Outputs: map[string]store.Digest{}, Trees: map[string]store.Digest{}}
	name := func(p string) (string, error) {
		out, err := outputName(p)
		if err != nil {
			return "", fmt.Errorf("action result: %w", err)
		}
		return out, nil
	}
	for _, f := range p.OutputFiles {
		n, err1 := name(f.Path)
		d, err2 := store.DigestFromProto(f.Digest)
		if err := errors.Join(err1, err2); err != nil {
			return Result{}, err
		}
		r.Outputs[n] = d
	}
	for _, dir := range p.OutputDirectories {
		n, err := name(dir.Path)
		if err != nil {
			return Result{}, err
		}
		if dir.RootDirectoryDigest.GetHash() != "" {
			r.Trees[n], err = store.DigestFromProto(dir.RootDirectoryDigest)
		} else {
			var tree store.Digest
			if tree, err = store.DigestFromProto(dir.TreeDigest); err == nil {
				r.Trees[n], err = st.OpenTreeMessage(ctx, tree)
			}
		}
		if err != nil {
			return Result{}, fmt.Errorf("action result: output %q: %w", n, err)
		}
	}
	if len(p.OutputSymlinks) > 0 {
		return Result{}, errors.New("action result: an output is a symlink")
	}
	var err1, err2 error
	if p.StdoutDigest.GetHash() != "" {
		r.Stdout, err1 = store.DigestFromProto(p.StdoutDigest)
	}
	if p.StderrDigest.GetHash() != "" {
		r.Stderr, err2 = store.DigestFromProto(p.StderrDigest)
	}
	return r, errors.Join(err1, err2)
}
