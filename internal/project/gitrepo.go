package project

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/index"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"

	"espalier.dev/espalier/internal/config"
)

// repository is the git work tree around a directory, read without git.
type repository struct {
	top       string // of the work tree
	gitDir    string
	commonDir string          // differs from gitDir in a linked work tree
	tracked   map[string]bool // files of the index, relative to top
	parents   map[string]bool // their directories
	modules   []string        // submodules, relative to top
}

// findRepository looks for .git from dir upwards; nil when there is none.
func findRepository(dir string) *repository {
	for _, d := range config.Parents(dir) {
		dot := filepath.Join(d, ".git")
		st, err := os.Stat(dot)
		if err != nil {
			continue
		}
		r := &repository{top: d, gitDir: dot, commonDir: dot}
		if !st.IsDir() { // a linked work tree or a submodule: "gitdir: <path>"
			b, err := os.ReadFile(dot)
			to, ok := strings.CutPrefix(strings.TrimSpace(string(b)), "gitdir:")
			if err != nil || !ok {
				return nil
			}
			r.gitDir = config.Join(d, strings.TrimSpace(to))
			r.commonDir = r.gitDir
			if b, err := os.ReadFile(filepath.Join(r.gitDir, "commondir")); err == nil {
				r.commonDir = config.Join(r.gitDir, strings.TrimSpace(string(b)))
			}
		}
		if !config.Exists(filepath.Join(r.gitDir, "HEAD")) {
			continue
		}
		return r
	}
	return nil
}

// readIndex fills what git tracks. A repository without a commit has no index
// yet: then nothing is tracked.
func (r *repository) readIndex() (err error) {
	r.tracked, r.parents = map[string]bool{}, map[string]bool{}
	f, err := os.Open(filepath.Join(r.gitDir, "index"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	// The decoder reads untrusted bytes: a clone can contain anything.
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("malformed index")
		}
	}()
	var idx index.Index
	if err := index.NewDecoder(bufio.NewReader(f)).Decode(&idx); err != nil {
		return err
	}
	for _, e := range idx.Entries {
		if e.Mode == filemode.Submodule {
			r.modules = append(r.modules, e.Name)
			continue
		}
		r.tracked[e.Name] = true
		for d := e.Name; ; {
			i := strings.LastIndexByte(d, '/')
			if i < 0 {
				break
			}
			if d = d[:i]; r.parents[d] {
				break
			}
			r.parents[d] = true
		}
	}
	return nil
}

// tracks reports whether git knows the file; everything in a submodule counts
// as known, it has an index of its own.
func (r *repository) tracks(rel string) bool {
	if r.tracked[rel] {
		return true
	}
	for _, m := range r.modules {
		if strings.HasPrefix(rel, m+"/") {
			return true
		}
	}
	return false
}

// head reads the checked-out commit; zero when there is none or when it cannot
// be read (a shallow or partial clone, another object format).
func (r *repository) head() (h Head) {
	defer func() {
		if recover() != nil {
			h = Head{}
		}
	}()
	var files billy.Filesystem = osfs.New(r.gitDir, osfs.WithBoundOS())
	if r.commonDir != r.gitDir {
		files = dotgit.NewRepositoryFilesystem(files, osfs.New(r.commonDir, osfs.WithBoundOS()))
	}
	st := filesystem.NewStorage(files, cache.NewObjectLRU(cache.MiByte))
	ref, err := storer.ResolveReference(st, plumbing.HEAD)
	if err != nil {
		return Head{}
	}
	c, err := object.GetCommit(st, ref.Hash())
	if err != nil {
		return Head{}
	}
	return Head{Commit: c.Hash.String(), Time: c.Committer.When.UTC()}
}
