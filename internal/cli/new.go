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
}

func newNew(a *app) *cobra.Command {
	var o newOptions
	cmd := &cobra.Command{
		Use:   "new DIR",
		Short: "make a project from a template",
		Long: `Make a project for the ESP32-C3 in DIR, which must not exist or be empty. It is an
ordinary cargo project; espalier build and espalier run work in it as it is.` + command.Exits(),
		Example: `  espalier new blinky
  cd blinky && espalier lock && espalier run`,
		Args: command.Args("[DIR]"),
		RunE: func(_ *cobra.Command, names []string) error {
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
	_ = cmd.RegisterFlagCompletionFunc("template", command.OneOf(templates.Names()))
	return cmd
}

func (a *app) runNew(dir string, o newOptions) error {
	if !slices.Contains(templates.Names(), o.Template) {
		return command.UnknownValue("--template", o.Template, templates.Names())
	}
	if a.global.Project != "" && !filepath.IsAbs(dir) {
		dir = filepath.Join(a.global.Project, dir)
	}
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
