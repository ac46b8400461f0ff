package cli

import (
	"cmp"
	"os"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/workspace"
)

// databaseVariable names the database when --db does not.
const databaseVariable = "ESPALIER_ADVISORY_DB"

func newAudit(a *app) *cobra.Command {
	var o workOptions
	var what workspace.AuditOptions
	var noYanked, strict bool
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "compare the lock with a database of advisories",
		Long: `Compare the crates and the compiler of espalier.lock with advisories in the form of
RustSec, and with the registry's index, which lists yanked versions. The database is a
directory (a checkout), a tar archive, or the address of a git repository; a directory
or an archive needs no network, and with --offline the index is not asked.

Vulnerabilities, unsound interfaces and yanked versions are findings: the exit status
is 1. Crates without a maintainer and notices are printed, and are findings with --strict.` + command.Exits(fault.Program, fault.Pins, fault.Sandbox),
		Example: `  espalier audit --db advisory-db
  espalier audit --db https://example.com/advisory-db.git --strict
  espalier audit --db advisory-db.tar.gz --offline --ignore RUSTSEC-2024-0001`,
		Args: command.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if what.Database = cmp.Or(what.Database, os.Getenv(databaseVariable)); what.Database == "" {
				return fault.New(fault.Usage, "audit: no database of advisories is named",
					"espalier audit --db DIR   # a checkout of RustSec's advisory-db, a tar archive of it, or the address of its repository",
					"export "+databaseVariable+"=DIR")
			}
			w, err := a.open(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer w.Close()
			what.Yanked = !noYanked && !a.global.Offline
			r, err := w.Audit(cmd.Context(), what)
			if err != nil {
				return err
			}
			a.ui.Event("audit", r)
			for _, f := range r.Findings {
				for _, line := range f.Lines() {
					a.ui.Printf("%s", line)
				}
			}
			a.ui.Note("%s", r.Scope())
			return r.Err(strict)
		},
	}
	cmd.Flags().StringVar(&what.Database, "db", "", "the database: a `DIR`, a tar archive, or the address of a git repository (default: $"+databaseVariable+")")
	cmd.Flags().BoolVar(&noYanked, "no-yanked", false, "do not ask the registry's index for yanked versions")
	cmd.Flags().StringSliceVar(&what.Ignore, "ignore", nil, "ignore the advisories `IDS`, separated by commas")
	cmd.Flags().BoolVar(&strict, "strict", false, "unmaintained crates and notices are findings, too")
	o.addSelectionFlags(cmd.Flags())
	o.addSandboxFlag(cmd.Flags())
	return cmd
}
