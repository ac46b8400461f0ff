package cli

import (
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/templates"
)

type newOptions struct {
	Template string
	Name     string
	List     bool
	From     string
	Fix      bool
}

func newNew(a *app) *cobra.Command {
	var o newOptions
	cmd := &cobra.Command{
		Use:   "new DIR",
		Short: "make a project from a template, or adopt one",
		Long: `Make a project for the ESP32-C3 in DIR, which must not exist or be empty. It is an
ordinary cargo project; espalier build and espalier run work in it as it is.

With --from, adopt the project in a directory, or a clone of a repository (in DIR, else
in a directory of its name): show which lines of its manifests and of .cargo/config.toml
are there for other tools only, with the reason, and the patch that deletes them. --fix
applies the patch; without it nothing is changed. What the project's compiler or locked
crates still need is listed and kept.` + command.Exits(fault.Pins),
		Example: `  espalier new blinky
  cd blinky && espalier lock && espalier run
  espalier new --from .            what espalier does not need in this project
  espalier new --from https://example.org/firmware.git --fix`,
		Args: command.Args("[DIR]"),
		RunE: func(cmd *cobra.Command, names []string) error {
			if o.From != "" {
				return a.runFrom(cmd.Context(), names, o)
			}
			if o.Fix {
				return fault.New(fault.Usage, "new: --fix is for --from", "espalier new --from . --fix")
			}
			if o.List {
				for _, t := range templates.Names() {
					a.ui.Event("template", templateEvent{t})
					a.ui.Printf("%s", t)
				}
				return nil
			}
			if len(names) == 0 {
				return fault.New(fault.Usage, "new: DIR is missing", "espalier new --help")
			}
			return a.runNew(names[0], o)
		},
	}
	cmd.Flags().StringVar(&o.Template, "template", "hello", "start from `TEMPLATE`")
	cmd.Flags().StringVar(&o.Name, "name", "", "call the package `NAME` instead of after the directory")
	cmd.Flags().BoolVar(&o.List, "list", false, "print the names of all templates")
	cmd.Flags().StringVar(&o.From, "from", "", "adopt the project at `PATH`, a directory or a repository's address")
	cmd.Flags().BoolVar(&o.Fix, "fix", false, "with --from: delete what the patch shows")
	_ = cmd.RegisterFlagCompletionFunc("template", command.OneOf(templates.Names()))
	return cmd
}

func (a *app) runNew(dir string, o newOptions) error {
	if !slices.Contains(templates.Names(), o.Template) {
		return command.UnknownValue("--template", o.Template, templates.Names())
	}
	dir = a.inProject(dir)
	name := o.Name
	if name == "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return fault.Wrap(fault.Usage, err, "new")
		}
		name = filepath.Base(abs)
	}
	if err := templates.CheckName(name); err != nil {
		return err
	}
	if err := templates.Copy(o.Template, dir, name); err != nil {
		return err
	}
	a.ui.Event("new", newEvent{dir, name, o.Template})
	if !a.ui.JSON() {
		a.ui.Note("made %s from the template %s", dir, o.Template)
		a.ui.Hints("cd "+dir+" && espalier lock", "espalier run")
	}
	return nil
}
