package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/store"
)

// After `cargo add` or a change of features most units of the dependency layer
// are those of the layer before. A new layer therefore starts with a whole
// earlier one, if there is one of which a unit with the same hash has the same
// content:
//
//   - it was made with the same toolchain, environment, flags, profile and
//     configuration, of all of which the earlier step's key consists; then
//     cargo's hash of a unit covers the rest: package, version, features, and
//     the units that it depends on;
//   - each crate that both layers have has the same files;
//   - what the processes of the earlier step have used of the project, which is
//     little more than the stubs of own crates, is the same (observed.go).
//
// Units that the new layer's build does not mention are removed from it, so it
// has the units of one that starts with nothing.

// earlierRecipe is increased when the conditions change.
const earlierRecipe = "earlier layer 2"

// earlier is a layer with which another one may start.
type earlier struct{ layer, vendor, git store.Digest }

func (e earlier) encode() string {
	git := "none"
	if !e.git.IsZero() {
		git = e.git.String()
	}
	return fmt.Sprintf("layer %s\nvendor %s\ngit %s\n", e.layer, e.vendor, git)
}

func decodeEarlier(text string) (e earlier, err error) {
	var layer, vendor, git string
	if n, err := fmt.Sscanf(text, "layer %s\nvendor %s\ngit %s\n", &layer, &vendor, &git); n != 3 || err != nil {
		return e, fmt.Errorf("%w: earlier layer: %q", store.ErrCorrupt, text)
	}
	var err1, err2, err3 error
	e.layer, err1 = store.ParseDigest(layer)
	e.vendor, err2 = store.ParseDigest(vendor)
	if git != "none" {
		e.git, err3 = store.ParseDigest(git)
	}
	return e, errors.Join(err1, err2, err3)
}

// offerEarlier records a layer with which later ones may start.
func (r Runner) offerEarlier(ctx context.Context, pl Plan, res action.Result) error {
	if pl.earlier == nil || !res.Hermetic || res.Observation == nil {
		return nil
	}
	src, err := newSources(ctx, r.Store, inputTree(pl.Deps, layout.InputSrc))
	if err != nil {
		return err
	}
	u := src.used(res)
	e := earlier{res.Trees[layerOutput], inputTree(pl.Deps, layout.InputVendor), inputTree(pl.Deps, layout.InputGit)}
	tree, err := r.Store.MakeTree(ctx, func(b *store.TreeBuilder) error {
		dir := b.Source("earlier layer")
		if _, err := dir.File(ctx, "layer", false, strings.NewReader(e.encode())); err != nil {
			return err
		}
		_, err := dir.File(ctx, "used", false, bytes.NewReader(u.encode()))
		return err
	})
	if err != nil {
		return err
	}
	return r.Store.PutMemo(ctx, pl.earlier, tree)
}

// findEarlier returns a layer with which the first step may start;
// store.ErrMissing when there is none.
func (r Runner) findEarlier(ctx context.Context, pl Plan) (store.Digest, error) {
	if pl.earlier == nil || r.Unsandboxed {
		return store.Digest{}, store.ErrMissing
	}
	tree, err := r.Store.Memo(ctx, store.DigestOf(pl.earlier))
	if err != nil {
		return store.Digest{}, err
	}
	text := map[string][]byte{}
	for _, name := range []string{"layer", "used"} {
		if text[name], err = r.fileOf(ctx, tree, name); err != nil {
			return store.Digest{}, err
		}
	}
	e, err := decodeEarlier(string(text["layer"]))
	if err != nil {
		return store.Digest{}, err
	}
	u, err := decodeUsed(text["used"])
	if err != nil {
		return store.Digest{}, err
	}
	src, err := newSources(ctx, r.Store, inputTree(pl.Deps, layout.InputSrc))
	if err != nil {
		return store.Digest{}, err
	}
	if !src.same(u) {
		return store.Digest{}, store.ErrMissing
	}
	for _, t := range []struct{ then, now store.Digest }{
		{e.vendor, inputTree(pl.Deps, layout.InputVendor)}, {e.git, inputTree(pl.Deps, layout.InputGit)},
	} {
		if same, err := r.sameCrates(ctx, t.then, t.now); err != nil || !same {
			return store.Digest{}, errors.Join(err, store.ErrMissing)
		}
	}
	if _, err := r.Store.TreePath(ctx, e.layer); err != nil {
		return store.Digest{}, err
	}
	return e.layer, nil
}

// fileOf reads a small file of a tree.
func (r Runner) fileOf(ctx context.Context, tree store.Digest, name string) ([]byte, error) {
	entry, err := r.Store.Lookup(ctx, tree, name)
	if err != nil {
		return nil, err
	}
	f, err := r.Store.Open(ctx, entry)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// sameCrates reports whether the directories that two trees of crates have in
// common are the same.
func (r Runner) sameCrates(ctx context.Context, a, b store.Digest) (bool, error) {
	if a == b || a.IsZero() || b.IsZero() {
		return true, nil
	}
	then := map[string]string{}
	list := func(tree store.Digest, fn func(store.Entry)) error {
		return r.Store.Walk(ctx, tree, func(e store.Entry) error {
			switch {
			case e.Path == "":
				return nil
			case e.Type == store.TypeDir:
				fn(e)
				return fs.SkipDir
			}
			fn(e)
			return nil
		})
	}
	if err := list(a, func(e store.Entry) { then[e.Path] = e.Digest.Hash + e.Target }); err != nil {
		return false, err
	}
	same := true
	err := list(b, func(e store.Entry) {
		if old, ok := then[e.Path]; ok && old != e.Digest.Hash+e.Target {
			same = false
		}
	})
	return same, err
}

// withEarlier returns the first step with what it may start with in its target
// directory: an earlier layer, or the library of one; the step itself when there
// is neither.
func (r Runner) withEarlier(ctx context.Context, pl Plan, needs func() hostNeeds) (action.Step, error) {
	layer, err := r.findEarlier(ctx, pl)
	if err == nil {
		all := false
		if all, err = r.has(ctx, layer, needs(), pl.triple); err == nil && !all {
			err = store.ErrMissing
		}
	}
	if errors.Is(err, store.ErrMissing) || errors.Is(err, store.ErrCorrupt) || errors.Is(err, fs.ErrNotExist) {
		return r.withLibrary(ctx, pl)
	}
	if err != nil {
		return pl.Deps, err
	}
	empty, err := emptyTree(ctx, r.Store)
	return onLayer(pl.Deps, empty, layer), err
}

// mentioned collects the hashes of the units that cargo's messages name, and
// whether the unit is one of a dependency.
type mentioned map[string]bool

var (
	unitHash = regexp.MustCompile(`-([0-9a-f]{16})\b`)
	// An own package is a path in the project: "path+file:///src/app#0.1.0", before
	// cargo 1.77 "app 0.1.0 (path+file:///src/app)".
	ownPackage = regexp.MustCompile(`"package_id":"[^"]*\bpath\+file://` + layout.Src + `[/#)]`)
)

func (m mentioned) line(b []byte) {
	if !bytes.HasPrefix(b, []byte(`{"reason":"compiler-artifact"`)) && !bytes.HasPrefix(b, []byte(`{"reason":"build-script-executed"`)) {
		return
	}
	dependency := !ownPackage.Match(b)
	for _, h := range unitHash.FindAllSubmatch(b, -1) {
		m[string(h[1])] = dependency
	}
}

// dependency reports whether a name of the target directory ends in the hash of
// a dependency's unit.
func (m mentioned) dependency(name string) bool {
	stem, ok := cutHash(name)
	return ok && m[name[len(stem):][1:]]
}

// keep reports whether a file of the target directory belongs to a unit that
// was named, or to none.
func (m mentioned) keep(name string) bool {
	elem := strings.Split(strings.TrimSuffix(name, "/"), "/")
	for at := 1; at <= 2 && at+1 < len(elem); at++ {
		switch elem[at] {
		case ".fingerprint", "build", "deps", "examples":
			unit := elem[at+1]
			if elem[at] == "deps" || elem[at] == "examples" {
				unit = stripExt(unit)
			}
			stem, ok := cutHash(unit)
			if !ok {
				return true
			}
			_, named := m[unit[len(stem)+1:]]
			return named
		}
	}
	return true
}

// both returns a function that calls two; the first may be nil.
func both(a, b func([]byte)) func([]byte) {
	if a == nil {
		return b
	}
	return func(line []byte) { a(line); b(line) }
}
