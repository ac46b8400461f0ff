package workspace

import (
	"context"
	"os"

	"espalier.dev/espalier/internal/gitconfig"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/supply/git"
)

// Clone makes a repository in dir from an address, with the user's own git
// configuration and logins.
func (o Opener) Clone(ctx context.Context, address, dir string) (err error) {
	home, _ := os.UserHomeDir()
	c, err := gitconfig.Read(gitconfig.Source{Lookup: o.Lookup, Home: home})
	if err != nil {
		return err
	}
	f := &git.Fetcher{Offline: o.Offline, Report: o.UI, Access: git.Access{Config: c, Lookup: o.Lookup, Home: home}}
	task := o.UI.Start("cloning "+address, progress.Files, 0)
	defer func() { task.Done(err) }()
	return f.Clone(ctx, address, dir)
}
