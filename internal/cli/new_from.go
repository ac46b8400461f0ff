package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/internal/adopt"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/supply/git"
)

// runFrom adopts the project in a directory, or a clone of one.
func (a *app) runFrom(ctx context.Context, names []string, o newOptions) error {
	dir := a.inProject(o.From)
	switch {
	case git.IsAddress(o.From):
		name := git.DirectoryOf(o.From)
		if len(names) > 0 {
			name = names[0]
		}
		dir = a.inProject(name)
		if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
			return fault.New(fault.Usage, "new: "+name+" is not empty", "choose another directory: nothing is overwritten")
		}
		if err := a.opener().Clone(ctx, o.From, dir); err != nil {
			return err
		}
	case len(names) > 0:
		return fault.New(fault.Usage, "new: a project on this machine is adopted where it is", "espalier new --from "+o.From)
	}
	p, err := project.Open(dir, a.opener().Options(project.Flags{}))
	if err != nil {
		return err
	}
	found, err := adopt.Find(p)
	if err != nil {
		return err
	}
	edits, err := adopt.Edits(p, found)
	if err != nil {
		return err
	}
	patch := adopt.Patch(edits)
	a.ui.Event("adoption", adopt.Event{Directory: p.Root, Findings: found, Patch: patch, Fixed: o.Fix && len(edits) > 0})
	for _, line := range adopt.Fields(found) {
		a.ui.Fields(line)
	}
	a.ui.Printf("%s", strings.TrimSuffix(patch, "\n"))
	if o.Fix {
		if err := adopt.Write(p, edits); err != nil {
			return err
		}
	}
	if !a.ui.JSON() {
		a.showNext(p, edits, o.Fix)
	}
	return nil
}

// inProject is a path of the command line as seen from the directory of -C.
func (a *app) inProject(name string) string {
	if a.global.Project != "" && !filepath.IsAbs(name) {
		return filepath.Join(a.global.Project, name)
	}
	return name
}

func (a *app) showNext(p *project.Project, edits []adopt.Edit, fixed bool) {
	at := p.Workspace
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, at); err == nil && !strings.HasPrefix(rel, "..") {
			at = rel
		}
	}
	var hints []string
	switch {
	case len(edits) == 0:
		a.ui.Note("nothing to delete: the project can be locked as it is")
	case fixed:
		a.ui.Note("changed %d files", len(edits))
	default:
		a.ui.Note("nothing was changed")
		hints = append(hints, "espalier new --from "+at+" --fix   # applies the patch")
	}
	next := "espalier lock && espalier run"
	if at != "." {
		next = "cd " + at + " && " + next
	}
	a.ui.Hints(append(hints, next)...)
}
