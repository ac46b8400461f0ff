package cli

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/ui"
)

func newBuild(a *app) *cobra.Command {
	var o workOptions
	var dir string
	cmd := &cobra.Command{
		Use:   "build",
		Short: "compile the project: ELF and flash image",
		Long: `Compile the project as espalier.lock says, in the sandbox, and write the ELF and the
image of the flash (bootloader, partition table and application). Their paths are
printed. What was built before is not built again; an edit of the project's own
sources compiles only those.

What the lock names and the store lacks is fetched first, unless --offline. No pin is
changed: without a lock, or with one that no longer matches the project, the exit
status is 6. A firmware that takes more than [budget] of espalier.toml allows is
written, and the exit status is 3.` + exits(fault.Build, fault.Pins, fault.Sandbox),
		Example: `  espalier build
  espalier build --bin blinky --features wifi --out dist`,
		Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.open(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer w.close()
			f, err := w.firmware(cmd.Context())
			if err != nil {
				return err
			}
			var hints []string
			if dir == "" {
				dir, hints = w.outDir(), []string{"espalier build --out DIR   # writes nothing to the project"}
			}
			if err := deliver(a.ui, f, dir, hints); err != nil {
				return err
			}
			return w.checkBudget(cmd.Context(), f)
		},
	}
	o.addFlags(cmd.Flags())
	cmd.Flags().StringVarP(&dir, "out", "o", "", "write to `DIR` instead of target/espalier")
	return cmd
}

// deliver writes ELF and image to a directory and prints their paths.
func deliver(out *ui.UI, f *firmware, dir string, hints []string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fault.Wrap(fault.Usage, err, "writing the firmware", hints...)
	}
	elf, bin := filepath.Join(dir, f.name+".elf"), filepath.Join(dir, f.name+".bin")
	img := f.flash.Trimmed()
	for _, file := range []struct {
		path string
		data []byte
	}{{elf, f.bytes}, {bin, img}} {
		if err := writeChanged(file.path, file.data); err != nil {
			return fault.Wrap(fault.Usage, err, "", hints...)
		}
	}
	digest := store.DigestOf(img)
	out.Event("build", buildEvent{elf, f.elf, bin, digest, f.hermetic, f.plan.Secrets})
	out.Printf("%s", short(elf))
	out.Printf("%s", short(bin))
	switch {
	case len(f.plan.Secrets) > 0:
		out.Note("not hermetic: it contains the secret %s; the result is in these files only and is built again every time",
			strings.Join(f.plan.Secrets, ", "))
	case !f.hermetic:
		out.Note("not hermetic: built without the sandbox")
	}
	if out.Verbose() {
		out.Note("ELF %s, image %s (%s)", f.elf, digest, ui.Size(int64(len(img))))
	}
	return nil
}

// writeFile replaces a file in one step.
func writeFile(path string, b []byte) error {
	return fault.Wrap(fault.Usage, atomicfile.Write(path, b, 0o644), "writing "+path)
}

// writeChanged is writeFile unless the file has these bytes already.
func writeChanged(path string, b []byte) error {
	return fault.Wrap(fault.Usage, atomicfile.WriteChanged(path, b, 0o644), "writing "+path)
}

// short shows a path as the user would type it here.
func short(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, abs); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return abs
}
