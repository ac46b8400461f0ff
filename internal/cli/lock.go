package cli

import (
	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/pin"
	"espalier.dev/espalier/internal/workspace"
)

type lockOptions struct {
	work      workOptions
	Toolchain string
	Check     bool
	Golden    bool
}

func newLock(a *app) *cobra.Command {
	var o lockOptions
	cmd := &cobra.Command{
		Use:   "lock",
		Short: "resolve and pin everything: write espalier.lock",
		Long: `Resolve the project's names to content: compiler, linker and standard library, crates,
git crates, bootloader and mask ROM. Everything is fetched, verified and written to
espalier.lock beside Cargo.lock, for all packages of the workspace; what changed is
printed. Commit both files.

Pins that still fit stay. A Cargo.lock that is missing is made with the pinned cargo;
one that does not match the manifests is brought up to date, and every version that
can stay stays.

With --golden, the firmware is built and its digests are recorded. From then on a build
of the same inputs that gives another firmware fails with exit status 8. With --locked,
as in CI, a build of other inputs fails with exit status 6.` + command.Exits(fault.Build, fault.Pins, fault.Sandbox, fault.Differ),
		Example: `  espalier lock
  espalier lock --check            exit 6 when anything would change, for CI
  espalier lock --golden           and record what a build makes
  espalier lock --toolchain        take the newest compiler that fits
  espalier lock --toolchain=rust   take it from the official Rust distribution`,
		Args: command.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.open(cmd.Context(), o.work)
			if err != nil {
				return err
			}
			defer w.Close()
			if o.Check {
				return w.CheckLock(cmd.Context())
			}
			if err := w.Lock(cmd.Context(), o.Toolchain); err != nil || !o.Golden {
				return err
			}
			return w.RecordGolden(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&o.Toolchain, "toolchain", "", "choose the compiler again, from `SUPPLIER` debian or rust if one is named")
	cmd.Flags().Lookup("toolchain").NoOptDefVal = workspace.AnySupplier
	cmd.Flags().BoolVar(&o.Check, "check", false, "write nothing; fail when anything would change")
	cmd.Flags().BoolVar(&o.Golden, "golden", false, "build, and record the digests of the firmware: builds of the same inputs must reach them")
	o.work.addSelectionFlags(cmd.Flags())
	o.work.addSandboxFlag(cmd.Flags())
	return cmd
}

func newFetch(a *app) *cobra.Command {
	var o workOptions
	var check bool
	cmd := &cobra.Command{
		Use:   "fetch",
		Short: "fetch everything that espalier.lock names into the store",
		Long: `Download what espalier.lock names and the store lacks, from any of its locations:
content decides. Afterwards everything works without a network.

With --check, nothing is downloaded: every file that the lock names is hashed. What is
damaged is moved aside, so that espalier fetch downloads it again.` + command.Exits(fault.Pins, fault.Sandbox),
		Example: `  espalier fetch && espalier build --offline
  espalier fetch --check || espalier fetch    look for damage, and mend it`,
		Args: command.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.open(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer w.Close()
			f, err := lock.Load(w.Project)
			if err != nil {
				return err
			}
			if check {
				c, err := pin.Check(cmd.Context(), w.Store, f, lock.Host(), a.ui)
				a.ui.Event("fetch-check", c)
				for _, d := range c.Damaged {
					a.ui.Printf("damaged: %s", d.What)
				}
				for _, m := range c.Missing {
					a.ui.Printf("missing: %s", m.What)
				}
				return err
			}
			s, err := w.PinSession()
			if err != nil {
				return err
			}
			return s.Fetch(cmd.Context(), w.Project, f)
		},
	}
	o.addSandboxFlag(cmd.Flags())
	cmd.Flags().BoolVar(&check, "check", false, "hash every file that the lock names instead")
	return cmd
}
