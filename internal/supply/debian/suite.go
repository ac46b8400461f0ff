package debian

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/fetch"
)

// suite is a source with its index.
type suite struct {
	src     *Source
	order   int
	rel     *release
	indexes []index
}

// index is one Packages file.
type index struct {
	path   string // relative to the suite: "main/binary-amd64/Packages.xz"
	digest store.Digest
}

// load verifies one source and downloads its indexes into the store.
func (s *Supplier) load(ctx context.Context, st *store.Store, src *Source, task progress.Task) (*suite, error) {
	if src.Trusted == "no" {
		return nil, errors.New("it is marked trusted=no")
	}
	keys, err := keysFor(s.root, s.conf, src)
	if err != nil {
		return nil, err
	}
	task.Item(src.Suite)
	rel, err := s.loadRelease(ctx, st, src, keys)
	if err != nil {
		return nil, err
	}
	if !src.flat() && !rel.isFor(src.Suite) {
		return nil, fmt.Errorf("its Release file is that of %s (%s)", rel.suite, rel.codename)
	}
	if err := rel.fresh(src, s.conf, s.now()); err != nil {
		return nil, err
	}
	su := &suite{src: src, rel: rel}
	for _, dir := range indexDirs(src, rel, s.arch) {
		ix, ok := chooseIndex(rel, dir)
		if !ok {
			if len(rel.archs) > 0 && !slices.Contains(rel.archs, s.arch) {
				return nil, fmt.Errorf("it has no packages for %s", s.arch)
			}
			continue // apt skips a component that is not in the release
		}
		if err := s.fetchIndex(ctx, st, src, rel, ix, task); err != nil {
			return nil, err
		}
		su.indexes = append(su.indexes, ix)
	}
	return su, nil
}

// base is the URL of the directory of the suite's Release file.
func (s *Source) base() string {
	if s.flat() {
		return strings.TrimPrefix(strings.TrimSuffix(s.Suite, "/")+"/", "./")
	}
	return "dists/" + s.Suite + "/"
}

func (s *Supplier) loadRelease(ctx context.Context, st *store.Store, src *Source, keys *keyring) (*release, error) {
	b, _, err := s.client.Get(ctx, src.base()+"InRelease", []string{src.URI}, maxRelease)
	if err == nil {
		rel, err := openInRelease(b, keys, s.now())
		if err != nil {
			return nil, err
		}
		_, err = st.PutBytes(ctx, b)
		return rel, err
	}
	if !fetch.NotFound(err) {
		return nil, err
	}
	notFound := err
	if b, _, err = s.client.Get(ctx, src.base()+"Release", []string{src.URI}, maxRelease); err != nil {
		return nil, notFound
	}
	sig, _, err := s.client.Get(ctx, src.base()+"Release.gpg", []string{src.URI}, maxRelease)
	if err != nil {
		return nil, fmt.Errorf("its Release file is not signed: %w", err)
	}
	rel, err := openRelease(b, sig, keys, s.now())
	if err != nil {
		return nil, err
	}
	_, err = st.PutBytes(ctx, b)
	return rel, err
}

// indexDirs lists the directories of the Packages files that the source needs.
func indexDirs(src *Source, rel *release, arch string) []string {
	if src.flat() {
		return []string{""}
	}
	var dirs []string
	for _, comp := range src.Components {
		dirs = append(dirs, comp+"/binary-"+arch+"/")
		if slices.Contains(rel.archs, "all") && !rel.allIsNot {
			dirs = append(dirs, comp+"/binary-all/")
		}
	}
	return dirs
}

// chooseIndex returns the smallest form of a Packages file in a supported
// compression.
func chooseIndex(rel *release, dir string) (index, bool) {
	for _, ext := range []string{".xz", ".zst", ".gz", ""} {
		if d, ok := rel.files[dir+"Packages"+ext]; ok {
			return index{dir + "Packages" + ext, d}, true
		}
	}
	return index{}, false
}

// fetchIndex downloads one index by its digest: from by-hash when the archive
// has it, so that an update of the mirror does not interfere, else by name.
func (s *Supplier) fetchIndex(ctx context.Context, st *store.Store, src *Source, rel *release, ix index, task progress.Task) error {
	dir, _ := path.Split(ix.path)
	paths := []string{src.base() + ix.path}
	if src.ByHash == "force" || src.ByHash != "no" && rel.byHash {
		paths = slices.Insert(paths, 0, src.base()+dir+"by-hash/SHA256/"+ix.digest.Hash)
	}
	var last error
	for _, p := range paths {
		last = s.client.Fetch(ctx, st, []fetch.File{{
			Name: src.Suite + " " + ix.path, Digest: ix.digest, Path: p, Prefixes: []string{src.URI},
			Hints: []string{"the mirror may be in the middle of an update: try again in some minutes"},
		}}, task, nil)
		if last == nil || ctx.Err() != nil {
			return last
		}
	}
	return last
}

// readIndex adds one Packages blob to the universe.
func readIndex(ctx context.Context, st *store.Store, u *universe, su *suite, ix index) error {
	if ix.digest.Size == 0 {
		return nil
	}
	blob, err := st.Get(ctx, ix.digest)
	if err != nil {
		return err
	}
	defer blob.Close()
	r, err := decompress(blob, ix.path)
	if err != nil {
		return fmt.Errorf("%s: %w", ix.path, err)
	}
	defer r.Close()
	if err := u.add(r, su.src.Suite+" "+ix.path, su); err != nil {
		return err
	}
	return blob.Close() // verifies the digest
}
