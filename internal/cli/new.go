package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

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
ordinary cargo project; espalier build and espalier run work in it as it is.` + exits(),
		Example: `  espalier new blinky
  cd blinky && espalier lock && espalier run`,
		Args: args("[DIR]"),
		RunE: func(_ *cobra.Command, names []string) error {
			if o.List {
				for _, t := range templateNames() {
					a.ui.Event("template", struct {
						Name string `json:"name"`
					}{t})
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
	_ = cmd.RegisterFlagCompletionFunc("template", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return templateNames(), cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

func templateNames() []string {
	entries, err := templates.FS.ReadDir(".")
	if err != nil {
		panic(err) // embedded
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}

func (a *app) runNew(dir string, o newOptions) error {
	if !slices.Contains(templateNames(), o.Template) {
		return fault.New(fault.Usage, fmt.Sprintf("new: no template %s", o.Template), "templates: "+strings.Join(templateNames(), ", "))
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
	if err := checkPackageName(name); err != nil {
		return err
	}
	if err := CopyTemplate(o.Template, dir, name); err != nil {
		return err
	}
	a.ui.Event("new", struct {
		Directory string `json:"directory"`
		Package   string `json:"package"`
		Template  string `json:"template"`
	}{dir, name, o.Template})
	if !a.ui.JSON() {
		a.ui.Note("made %s from the template %s", dir, o.Template)
		a.ui.Hints("cd "+dir+" && espalier lock", "espalier run")
	}
	return nil
}

var packageName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// checkPackageName refuses what cargo would refuse later, or what would clash
// with a crate that every program has.
func checkPackageName(name string) error {
	const hint = "espalier new DIR --name NAME calls the package differently"
	if !packageName.MatchString(name) {
		return fault.New(fault.Usage, fmt.Sprintf("new: %q is no name for a package: letters, digits, - and _, a letter first", name), hint)
	}
	taken := strings.Fields(`abstract alignof as async await become box break const continue crate do dyn else enum extern
		false final fn for gen if impl in let loop macro match mod move mut offsetof override priv proc pub pure ref return
		self sizeof static struct super test trait true try type typeof unsafe unsized use virtual where while yield
		alloc core proc_macro std build deps examples incremental
		esp-hal esp-backtrace esp-println esp-bootloader-esp-idf`)
	if slices.Contains(taken, name) || slices.Contains(taken, strings.ReplaceAll(name, "_", "-")) {
		return fault.New(fault.Usage, fmt.Sprintf("new: a package cannot be called %s: Rust, cargo or a dependency uses the name", name), hint)
	}
	return nil
}

// CopyTemplate writes a template into dir as the package name. dir must not
// exist or be empty; after an error it is as it was.
func CopyTemplate(template, dir, name string) error {
	switch entries, err := os.ReadDir(dir); {
	case err == nil && len(entries) > 0:
		return fault.New(fault.Usage, fmt.Sprintf("new: %s is not empty", dir), "choose another directory: nothing is overwritten")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fault.Wrap(fault.Usage, err, "new")
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return fault.Wrap(fault.Usage, err, "new")
	}
	aside, err := os.MkdirTemp(parent, ".espalier-new-")
	if err != nil {
		return fault.Wrap(fault.Usage, err, "new")
	}
	defer os.RemoveAll(aside)
	tree := filepath.Join(aside, "p") // a directory with the umask's mode, unlike aside
	if err := writeTemplate(template, tree, name); err != nil {
		return fault.Wrap(fault.Usage, err, "new")
	}
	// An empty directory gives way; one that was filled meanwhile does not.
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.Usage, err, "new")
	}
	if err := os.Rename(tree, dir); err != nil {
		return fault.Wrap(fault.Usage, err, "new")
	}
	return nil
}

func writeTemplate(template, dir, name string) error {
	return fs.WalkDir(templates.FS, template, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(strings.TrimPrefix(p, template), "/")
		if rel == "target" {
			return fs.SkipDir
		}
		to := filepath.Join(dir, filepath.FromSlash(rel))
		if d.IsDir() {
			return os.Mkdir(to, 0o777)
		}
		b, err := templates.FS.ReadFile(p)
		if err != nil {
			return err
		}
		switch path.Base(p) {
		case "Cargo.toml", "Cargo.lock":
			b = rename(b, template, name)
		}
		return os.WriteFile(to, b, 0o666)
	})
}

// rename changes the package's name in a manifest or lock: the lines
// name = "template", in [package], [[bin]] and [[package]].
func rename(b []byte, template, name string) []byte {
	line := regexp.MustCompile(`(?m)^(name\s*=\s*)"` + regexp.QuoteMeta(template) + `"`)
	return line.ReplaceAll(b, []byte("${1}\""+name+"\""))
}
