package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/session"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/templates"
)

type demoOptions struct {
	work workOptions
}

// What the demo's template prints when all is well, and how long that may take
// on a busy machine: it is 1 s of guest time.
const (
	demoTemplate = "http-client"
	demoDir      = "espalier-demo"
	demoExpect   = `/^HTTP\/1\.[01] 200 OK/`
	demoTimeout  = 2 * time.Minute
)

func newDemo(a *app) *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo [DIR]",
		Short: "create, lock, build and run a Wi-Fi project",
		Long: `Make a Wi-Fi client in DIR (default ./espalier-demo), lock it, fetch a complete
toolchain, build it in the sandbox, and boot it on the emulated board, where it joins
a network and fetches a page. The project stays on disk. A second call continues with the project in DIR.` +
			command.Exits(fault.Program, fault.Build, fault.Pins, fault.Sandbox, fault.Differ, fault.Timeout),
		Example: `  espalier demo`,
		Args:    command.Args("[DIR]"),
		RunE: func(cmd *cobra.Command, names []string) error {
			dir := filepath.Join(a.projectDir(), demoDir)
			if len(names) == 1 {
				dir = names[0]
			}
			return a.runDemo(cmd.Context(), dir, o)
		},
	}
	o.work.addSandboxFlag(cmd.Flags())
	return cmd
}

func (a *app) runDemo(ctx context.Context, dir string, o demoOptions) error {
	if _, err := os.Stat(filepath.Join(dir, "Cargo.toml")); errors.Is(err, fs.ErrNotExist) {
		if err := templates.Copy(demoTemplate, dir, demoTemplate); err != nil {
			return err
		}
		a.ui.Note("made %s from the template %s", ui.Path(dir), demoTemplate)
	} else {
		a.ui.Note("continuing with %s", ui.Path(dir))
	}
	a.global.Project = dir
	o.work.forRun(true)
	w, err := a.open(ctx, o.work)
	if err != nil {
		return err
	}
	if got := w.Project.Package; got != demoTemplate {
		w.Close()
		return fault.New(fault.Usage, ui.Path(dir)+" contains another project: "+got, "espalier demo DIR makes the demo in DIR")
	}
	f, err := w.Firmware(ctx)
	w.Close()
	if err != nil {
		return err
	}
	none := func(string) bool { return false }
	r, err := checkEmulated(a, none, emulationOptions{}, session.Options{Expect: []string{demoExpect}, Timeout: demoTimeout}, w.Project)
	if err != nil {
		return err
	}
	r.Session.Stdin = nil
	if err := r.Boot(ctx, f.ROM, f.Flash.Merged(), f.ELF); err != nil {
		return err
	}
	a.ui.Note("that was %s/src/main.rs, built with rustc %s and booted through Espressif's mask ROM and bootloader", ui.Path(dir), f.Rustc())
	a.ui.Hints(
		"cd "+ui.Path(dir),
		"espalier run      # after an edit of src/main.rs: only your code is compiled",
		"espalier verify   # builds it again under other conditions and compares bit for bit",
	)
	return nil
}
