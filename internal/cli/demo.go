package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/session"
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
			exits(fault.Program, fault.Build, fault.Pins, fault.Sandbox, fault.Timeout),
		Example: `  espalier demo`,
		Args:    args("[DIR]"),
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
		a.ui.Note("made %s from the template %s", short(dir), demoTemplate)
	} else {
		a.ui.Note("continuing with %s", short(dir))
	}
	a.global.Project = dir
	o.work.forRun(true)
	w, err := a.open(ctx, o.work)
	if err != nil {
		return err
	}
	if got := w.project.Package; got != demoTemplate {
		w.close()
		return fault.New(fault.Usage, short(dir)+" contains another project: "+got, "espalier demo DIR makes the demo in DIR")
	}
	f, err := w.firmware(ctx)
	w.close()
	if err != nil {
		return err
	}
	none := func(string) bool { return false }
	r, err := checkEmulated(a, none, emulationOptions{}, session.Options{Expect: []string{demoExpect}, Timeout: demoTimeout}, w.project)
	if err != nil {
		return err
	}
	r.session.Stdin = nil
	if err := r.boot(ctx, emulation{ROM: f.rom, Flash: f.flash.Merged(), ELF: f.bytes}); err != nil {
		return err
	}
	a.ui.Note("that was %s/src/main.rs, built with rustc %s and booted through Espressif's mask ROM and bootloader", short(dir), f.rustc())
	a.ui.Hints(
		"cd "+short(dir),
		"espalier run      # after an edit of src/main.rs: only your code is compiled",
		"espalier verify   # builds it again under other conditions and compares bit for bit",
	)
	return nil
}
