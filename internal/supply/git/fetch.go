package git

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

// Source is a git dependency as Cargo.lock names it.
type Source struct {
	URL    string // without query and fragment
	Ref    string // "rev=…", "tag=…", "branch=…", or empty for the default branch
	Commit string // full object id
}

// Member is a package that the lock takes from a source.
type Member struct{ Name, Version string }

// Fetcher brings commits into the store.
type Fetcher struct {
	Store   *store.Store
	Offline bool
	Report  progress.Reporter
	TempDir string // for the object database while it is read; the system's when empty
	Access         // the user's own git configuration and logins; zero for none
}

// maxSubmodules bounds recursion; a repository can name itself.
const maxSubmodules = 64

// Fetch unpacks src's commit with the members' link directory and returns its pin.
func (f *Fetcher) Fetch(ctx context.Context, src Source, members []Member) (lock.Git, error) {
	return f.fetch(ctx, src, true, func(*writer) []Member { return members })
}

// FetchAll unpacks src's commit with a link for every package in it, for a
// resolver that has yet to choose, and returns the dependencies of these
// packages. Objects of LFS are not fetched: a resolver reads manifests.
func (f *Fetcher) FetchAll(ctx context.Context, src Source) (lock.Git, Packages, error) {
	var p Packages
	pin, err := f.fetch(ctx, src, false, func(w *writer) []Member {
		p.w = w
		return w.all()
	})
	return pin, p, err
}

func (f *Fetcher) fetch(ctx context.Context, src Source, objects bool, choose func(*writer) []Member) (_ lock.Git, err error) {
	if f.Offline {
		return lock.Git{}, offline(src)
	}
	task := f.Report.Start("fetching "+shortURL(src.URL), progress.Files, 0)
	defer func() { task.Done(err) }()

	b, err := f.Store.NewTree()
	if err != nil {
		return lock.Git{}, err
	}
	defer b.Close()
	w := &writer{fetcher: f, tree: b.Source(shortURL(src.URL) + " " + short(src.Commit)), task: task}
	if err := w.commit(ctx, src, ""); err != nil {
		return lock.Git{}, err
	}
	members := choose(w)
	if err := w.link(ctx, src, members); err != nil {
		return lock.Git{}, err
	}
	chosen := members
	if !objects {
		chosen = nil
	}
	if err := w.objects(ctx, src, chosen); err != nil {
		return lock.Git{}, err
	}
	tree, err := b.Commit(ctx)
	if err != nil {
		return lock.Git{}, err
	}
	pin := lock.Git{URL: src.URL, Ref: src.Ref, Commit: src.Commit, Tree: tree}
	for _, m := range members {
		pin.Crates = append(pin.Crates, m.Name+" "+m.Version)
	}
	return pin, nil
}

// Head returns the commit that a reference means today.
func (f *Fetcher) Head(ctx context.Context, repo, ref string) (string, error) {
	if f.Offline {
		return "", offline(Source{URL: repo, Ref: ref})
	}
	refs, err := f.references(ctx, repo)
	if err != nil {
		return "", failed(repo, err)
	}
	kind, name, _ := strings.Cut(ref, "=")
	byName := map[string]string{}
	target := ""
	for _, r := range refs {
		if r.Name() == plumbing.HEAD && r.Type() == plumbing.SymbolicReference {
			target = r.Target().String()
		}
		byName[r.Name().String()] = r.Hash().String()
	}
	switch kind {
	case "":
		if h := byName[target]; h != "" {
			return h, nil
		}
		if h := byName["HEAD"]; h != "" && h != plumbing.ZeroHash.String() {
			return h, nil
		}
	case "branch":
		if h := byName["refs/heads/"+name]; h != "" {
			return h, nil
		}
	case "tag":
		if h := byName["refs/tags/"+name+"^{}"]; h != "" {
			return h, nil
		}
		if h := byName["refs/tags/"+name]; h != "" {
			return h, nil
		}
	case "rev":
		if plumbing.IsHash(name) {
			return name, nil
		}
		for _, p := range []string{"", "refs/heads/", "refs/tags/"} {
			if h := byName[p+name]; h != "" {
				return h, nil
			}
		}
		return f.expand(ctx, repo, name)
	}
	return "", fault.New(fault.Pins, fmt.Sprintf("git %s: there is no %s", repo, strings.Replace(ref, "=", " ", 1)),
		"look for a renamed branch or tag; a rev never moves")
}

// references asks a repository for its branches, tags and HEAD.
func (f *Fetcher) references(ctx context.Context, repo string) (refs []*plumbing.Reference, err error) {
	err = f.connect(ctx, repo, func(c connection) (err error) {
		remote := gogit.NewRemote(nil, &config.RemoteConfig{Name: "origin", URLs: []string{c.address}})
		refs, err = remote.ListContext(ctx, &gogit.ListOptions{
			PeelingOption: gogit.AppendPeeled, Auth: c.auth, CABundle: c.ca, InsecureSkipTLS: c.insecure, ProxyOptions: c.proxy,
		})
		return err
	})
	return refs, err
}

// Tips returns the branches and tags whose tip is a commit, "refs/heads/main".
func (f *Fetcher) Tips(ctx context.Context, repo, commit string) ([]string, error) {
	if f.Offline {
		return nil, offline(Source{URL: repo})
	}
	refs, err := f.references(ctx, repo)
	if err != nil {
		return nil, failed(repo, err)
	}
	var out []string
	for _, r := range refs {
		if name := strings.TrimSuffix(r.Name().String(), "^{}"); r.Hash().String() == commit && strings.HasPrefix(name, "refs/") {
			out = append(out, name)
		}
	}
	return out, nil
}

// expand resolves an abbreviated commit id; only the whole history knows it.
func (f *Fetcher) expand(ctx context.Context, repo, prefix string) (string, error) {
	r, done, err := f.open()
	if err != nil {
		return "", err
	}
	defer done()
	if err := f.fetchRefs(ctx, r, repo, "+refs/*:refs/*", 0); err != nil {
		return "", failed(repo, err)
	}
	h, err := r.ResolveRevision(plumbing.Revision(prefix))
	if err != nil {
		return "", failed(repo, fmt.Errorf("rev %s: %w", prefix, err))
	}
	return h.String(), nil
}

// open makes an empty bare repository in a temporary directory.
func (f *Fetcher) open() (*gogit.Repository, func(), error) {
	dir, err := os.MkdirTemp(f.TempDir, "git-")
	if err != nil {
		return nil, nil, err
	}
	r, err := gogit.PlainInit(dir, true)
	if err != nil {
		os.RemoveAll(dir)
		return nil, nil, err
	}
	return r, func() { os.RemoveAll(dir) }, nil
}

func (f *Fetcher) fetchRefs(ctx context.Context, r *gogit.Repository, repo, spec string, depth int) error {
	return f.connect(ctx, repo, func(c connection) error { return fetchFrom(ctx, c, r, spec, depth) })
}

func fetchFrom(ctx context.Context, c connection, r *gogit.Repository, spec string, depth int) error {
	remote, err := r.CreateRemoteAnonymous(&config.RemoteConfig{Name: "anonymous", URLs: []string{c.address}})
	if err != nil {
		return err
	}
	err = remote.FetchContext(ctx, &gogit.FetchOptions{
		RefSpecs: []config.RefSpec{config.RefSpec(spec)},
		Depth:    depth,
		Tags:     gogit.NoTags,
		Auth:     c.auth, CABundle: c.ca, InsecureSkipTLS: c.insecure, ProxyOptions: c.proxy,
	})
	if errors.Is(err, gogit.NoErrAlreadyUpToDate) {
		return nil
	}
	return err
}

// download brings the objects of one commit: alone where the server permits
// it, then the branch or tag that held it, then everything; at each location
// of the repository in turn. The error of a location is that of the last
// attempt, which asks for most and so says most.
func (f *Fetcher) download(ctx context.Context, r *gogit.Repository, src Source) (commit *object.Commit, err error) {
	err = f.connect(ctx, src.URL, func(c connection) error {
		commit, err = downloadFrom(ctx, c, r, src)
		return err
	})
	return commit, err
}

func downloadFrom(ctx context.Context, c connection, r *gogit.Repository, src Source) (*object.Commit, error) {
	hash := plumbing.NewHash(src.Commit)
	var last error
	try := func(spec string, depth int) (*object.Commit, bool) {
		if last = fetchFrom(ctx, c, r, spec, depth); last != nil {
			return nil, false
		}
		c, err := r.CommitObject(hash)
		if err != nil {
			last = fmt.Errorf("the server has no commit %s", src.Commit)
			return nil, false
		}
		return c, true
	}
	if c, ok := try(src.Commit+":refs/heads/pin", 1); ok {
		return c, nil
	}
	if refused(last) {
		return nil, last // connect finds a login
	}
	kind, name, _ := strings.Cut(src.Ref, "=")
	var specs []string
	switch kind {
	case "branch":
		specs = append(specs, "+refs/heads/"+name+":refs/heads/pin")
	case "tag":
		specs = append(specs, "+refs/tags/"+name+":refs/tags/pin")
	}
	for _, spec := range append(specs, "+refs/*:refs/*") {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if c, ok := try(spec, 0); ok {
			return c, nil
		}
	}
	return nil, last
}

// writer writes a commit and its submodules into a tree.
type writer struct {
	fetcher    *Fetcher
	tree       store.TreeSource
	task       progress.Task
	manifests  []manifest
	pointers   []pointer
	submodules int
}

func (w *writer) commit(ctx context.Context, src Source, prefix string) error {
	r, done, err := w.fetcher.open()
	if err != nil {
		return err
	}
	defer done()
	c, err := w.fetcher.download(ctx, r, src)
	if err != nil {
		return failed(src.URL, err)
	}
	root, err := c.Tree()
	if err != nil {
		return failed(src.URL, err)
	}
	modules := &config.Modules{Submodules: map[string]*config.Submodule{}}
	if file, err := root.File(".gitmodules"); err == nil {
		text, err := file.Contents()
		if err != nil {
			return failed(src.URL, err)
		}
		if err := modules.Unmarshal([]byte(text)); err != nil {
			return failed(src.URL, fmt.Errorf(".gitmodules: %w", err))
		}
	}
	walker := object.NewTreeWalker(root, true, nil)
	defer walker.Close()
	for {
		name, entry, err := walker.Next()
		if err != nil {
			if errors.Is(err, errEOF) {
				return nil
			}
			return failed(src.URL, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		full := path.Join(prefix, name)
		switch entry.Mode {
		case filemode.Dir:
		case filemode.Submodule:
			if err := w.submodule(ctx, src, modules, name, full, entry.Hash.String()); err != nil {
				return err
			}
		case filemode.Symlink:
			text, err := blobText(r, entry.Hash)
			if err != nil {
				return failed(src.URL, err)
			}
			if err := w.tree.Symlink(full, text); err != nil {
				return failed(src.URL, err)
			}
		default:
			if err := w.file(ctx, r, entry, full); err != nil {
				return failed(src.URL, err)
			}
		}
	}
}

func (w *writer) submodule(ctx context.Context, parent Source, modules *config.Modules, name, full, commit string) error {
	for _, m := range modules.Submodules {
		if path.Clean(m.Path) != name {
			continue
		}
		if w.submodules++; w.submodules > maxSubmodules {
			return failed(parent.URL, fmt.Errorf("more than %d submodules", maxSubmodules))
		}
		repo, err := submoduleURL(parent.URL, m.URL)
		if err != nil {
			return failed(parent.URL, err)
		}
		return w.commit(ctx, Source{URL: repo, Commit: commit}, full)
	}
	return failed(parent.URL, fmt.Errorf("submodule %s is not in .gitmodules", name))
}

// submoduleURL resolves the relative form "../other.git".
func submoduleURL(parent, sub string) (string, error) {
	if !strings.HasPrefix(sub, "./") && !strings.HasPrefix(sub, "../") {
		return sub, nil
	}
	u, err := url.Parse(parent)
	if err != nil {
		return "", err
	}
	u.Path = path.Join(u.Path, sub)
	return u.String(), nil
}

func offline(src Source) error {
	return fault.New(fault.Pins, fmt.Sprintf("offline, and not in the store: git %s %s", src.URL, short(src.Commit)),
		"espalier fetch   # on a machine with a network")
}

func failed(repo string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	kind := fault.KindOf(err)
	if kind == fault.Bug {
		kind = fault.Pins
	}
	var hints []string
	if strings.Contains(err.Error(), "repository corruption") {
		hints = []string{"the server lacks objects of the commit; a whole copy elsewhere can serve it: git config --global url.<copy>.insteadOf " + redact(repo)}
	}
	return fault.Wrap(kind, plain{err}, "git "+redact(repo), hints...)
}

// plain is an error in which a server's text may occur: without control
// characters and what is not UTF-8, such as the end of a sideband packet.
type plain struct{ error }

func (p plain) Error() string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return ' '
		case unicode.IsControl(r), r == utf8.RuneError:
			return -1
		}
		return r
	}, p.error.Error()))
}

func (p plain) Unwrap() error { return p.error }

// redact removes a password from a URL.
func redact(s string) string {
	if u, err := url.Parse(s); err == nil {
		return u.Redacted()
	}
	return s
}

func shortURL(s string) string {
	return strings.TrimSuffix(path.Base(strings.TrimSuffix(s, "/")), ".git")
}

func short(commit string) string {
	if len(commit) > 9 {
		return commit[:9]
	}
	return commit
}
