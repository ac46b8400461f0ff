package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/index"
	"github.com/go-git/go-git/v5/plumbing/object"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/revision"
)

// address is what git clones, and not a directory: with a scheme, or in the form
// host:path of ssh.
var address = regexp.MustCompile(`^[a-z][a-z0-9+.-]+://|^[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:`)

// IsAddress reports whether a name that may also be that of a directory is the
// address of a repository.
func IsAddress(name string) bool { return address.MatchString(name) }

// DirectoryOf is the directory that git clone would make for an address: "fw" for
// "https://example.com/team/fw.git".
func DirectoryOf(address string) string {
	name := strings.TrimSuffix(path.Base(strings.TrimSuffix(address, "/")), ".git")
	return name[strings.LastIndexAny(name, ":/")+1:]
}

// Clone makes a repository in dir with the branches of another and the work tree
// of its default branch. dir must not exist or be empty; after an error it does
// not exist. A repository with submodules is refused.
func (f *Fetcher) Clone(ctx context.Context, repo, dir string) (err error) {
	if f.Offline {
		return offline(Source{URL: repo})
	}
	refs, err := f.references(ctx, repo)
	if err != nil {
		return failed(repo, err)
	}
	branch := ""
	for _, r := range refs {
		if r.Name() == plumbing.HEAD && r.Type() == plumbing.SymbolicReference {
			branch = r.Target().Short()
		}
	}
	if branch == "" {
		return failed(repo, errors.New("the repository has no default branch"))
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	r, err := gogit.PlainInit(dir, false)
	if err != nil {
		return fault.Wrap(fault.Usage, err, "new")
	}
	if err := f.fetchRefs(ctx, r, repo, "+refs/heads/*:refs/remotes/origin/*", 0); err != nil {
		return failed(repo, err)
	}
	if err := track(r, repo, branch); err != nil {
		return failed(repo, err)
	}
	if _, err := revision.Checkout(dir, "refs/heads/"+branch, dir); err != nil {
		return fault.Wrap(fault.Usage, err, "", "git clone --recurse-submodules "+redact(repo)+" "+dir+" && espalier new --from "+dir)
	}
	if err := writeIndex(r, dir); err != nil {
		return failed(repo, err)
	}
	return nil
}

// track makes the local branch of a remote one, as git clone does. The remote is
// the address that was asked for: replacements of the user's configuration are
// applied at each use, and may change.
func track(r *gogit.Repository, repo, branch string) error {
	remote, err := r.Reference(plumbing.NewRemoteReferenceName("origin", branch), true)
	if err != nil {
		return err
	}
	name := plumbing.NewBranchReferenceName(branch)
	if err := r.Storer.SetReference(plumbing.NewHashReference(name, remote.Hash())); err != nil {
		return err
	}
	if err := r.Storer.SetReference(plumbing.NewSymbolicReference(plumbing.HEAD, name)); err != nil {
		return err
	}
	set, err := r.Config()
	if err != nil {
		return err
	}
	set.Remotes["origin"] = &config.RemoteConfig{Name: "origin", URLs: []string{repo}, Fetch: []config.RefSpec{"+refs/heads/*:refs/remotes/origin/*"}}
	set.Branches[branch] = &config.Branch{Name: branch, Remote: "origin", Merge: name}
	return r.SetConfig(set)
}

// writeIndex lists the files of HEAD, with which git compares the work tree.
func writeIndex(r *gogit.Repository, dir string) error {
	head, err := r.Head()
	if err != nil {
		return err
	}
	commit, err := r.CommitObject(head.Hash())
	if err != nil {
		return err
	}
	tree, err := commit.Tree()
	if err != nil {
		return err
	}
	idx := &index.Index{Version: 2}
	walker := object.NewTreeWalker(tree, true, nil)
	defer walker.Close()
	for {
		name, entry, err := walker.Next()
		if errors.Is(err, errEOF) {
			return r.Storer.SetIndex(idx)
		}
		if err != nil {
			return err
		}
		if entry.Mode == filemode.Dir {
			continue
		}
		info, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return fmt.Errorf("%s: %w", strings.TrimSpace(name), err)
		}
		idx.Entries = append(idx.Entries, &index.Entry{
			Name: name, Hash: entry.Hash, Mode: entry.Mode, Size: uint32(info.Size()), ModifiedAt: info.ModTime(),
		})
	}
}
