// Package revision writes the files of a git revision to a directory, so that an
// earlier state of a project is built like any other project, while repository and
// work tree stay as they are. No git program is needed.
package revision

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"espalier.dev/espalier/internal/fault"
)

// Checkout writes the files of a git revision, such as HEAD~1, a tag or a
// commit, of the repository around dir to the empty directory into, and returns
// where dir is below it. Neither the repository nor the work tree is touched.
// Submodules are left out, with an error if the revision has any.
func Checkout(dir, revision, into string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return "", err
	}
	repo, err := git.PlainOpenWithOptions(abs, &git.PlainOpenOptions{DetectDotGit: true, EnableDotGitCommonDir: true})
	if err != nil {
		return "", fault.New(fault.Usage, fmt.Sprintf("%s is not a file, and %s is not in a git repository", revision, abs))
	}
	work, err := repo.Worktree()
	if err != nil {
		return "", fault.Wrap(fault.Usage, err, "opening the git repository around "+abs)
	}
	top, err := filepath.EvalSymlinks(work.Filesystem.Root())
	if err != nil {
		return "", err
	}
	below, err := filepath.Rel(top, abs)
	if err != nil {
		return "", err
	}
	hash, err := repo.ResolveRevision(plumbing.Revision(revision))
	if err != nil {
		return "", fault.New(fault.Usage, fmt.Sprintf("%s is neither a file nor a git revision", revision))
	}
	commit, err := repo.CommitObject(*hash)
	if err != nil {
		return "", fault.Wrap(fault.Usage, err, "reading revision "+revision)
	}
	tree, err := commit.Tree()
	if err != nil {
		return "", fault.Wrap(fault.Usage, err, "reading revision "+revision)
	}
	root, err := os.OpenRoot(into) // a link in the tree leads nowhere outside
	if err != nil {
		return "", fault.Wrap(fault.Usage, err, "writing revision "+revision)
	}
	defer root.Close()
	w := object.NewTreeWalker(tree, true, nil)
	defer w.Close()
	for {
		name, entry, err := w.Next()
		if errors.Is(err, io.EOF) {
			return filepath.Join(into, below), nil
		}
		if err == nil {
			err = writeEntry(repo, root, name, entry)
		}
		if err != nil {
			return "", fault.Wrap(fault.Usage, err, "writing revision "+revision)
		}
	}
}

func writeEntry(repo *git.Repository, root *os.Root, name string, entry object.TreeEntry) error {
	path := filepath.FromSlash(name)
	if !filepath.IsLocal(path) {
		return fmt.Errorf("%q leaves the tree", name)
	}
	switch entry.Mode {
	case filemode.Dir:
		return root.MkdirAll(path, 0o777)
	case filemode.Submodule:
		return fmt.Errorf("%s is a submodule: its files are in another repository", name)
	}
	blob, err := repo.BlobObject(entry.Hash)
	if err != nil {
		return err
	}
	r, err := blob.Reader()
	if err != nil {
		return err
	}
	defer r.Close()
	if entry.Mode == filemode.Symlink {
		target, err := io.ReadAll(io.LimitReader(r, 1<<16))
		if err != nil {
			return err
		}
		return root.Symlink(string(target), path)
	}
	mode := os.FileMode(0o666)
	if entry.Mode == filemode.Executable {
		mode = 0o777
	}
	f, err := root.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
