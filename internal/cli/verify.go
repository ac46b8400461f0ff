package cli

import (
	"context"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/workspace"
)

type verifyOptions struct {
	work workOptions
	what workspace.VerifyOptions

	Provenance, Key, Against string
}

func newVerify(a *app) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "build again under other conditions and compare bit for bit",
		Long: `Build the firmware a second time, from scratch: without the dependency layer and without
any cached result, with the locked inputs hashed again, and under other conditions: host
name, user, home, clock (400 days ahead), time zone, locale, jobs, processors, kernel,
order of files, umask, environment, directory and file system. Then compare ELF and
image, bit for bit, with the ordinary build and with the results recorded in
espalier.lock. docs/verify.md has how each condition is varied.

A difference is explained: section, text around it, likely cause. Further builds find
the conditions that matter, and the build script, macro or crate where the difference
begins.

With --against, the firmware is built once and compared with that of others: an ELF, an
image or the content of a flash, in a file, at an address or on a board, also signed or
padded. What counts is the payload, below header, padding and signature.

With --provenance, nothing is built twice: the signature of a provenance (espalier attest)
is checked with a public key, and FILE, or the firmware that the project builds, must be a
subject of it.` +
			command.Exits(fault.Build, fault.Port, fault.Chip, fault.Pins, fault.Sandbox, fault.Differ),
		Example: `  espalier verify
  espalier verify --record                 and keep the result in espalier.lock for later builds
  espalier verify --condition clock,jobs   vary these only
  espalier verify --matrix                 a build for each condition
  espalier verify --line >> RELEASE.md     one line for the page of a release
  espalier verify --against vendor.bin
  espalier verify --against /dev/ttyACM0
  espalier verify --provenance firmware.intoto.json --key release.pub firmware.bin`,
		Args: command.Args("[FILE]"),
		RunE: func(cmd *cobra.Command, files []string) error {
			if o.Provenance != "" {
				return checkProvenance(cmd.Context(), a, o, files)
			}
			if o.Against != "" {
				return against(cmd.Context(), a, o)
			}
			if len(files) > 0 {
				return fault.New(fault.Usage, "FILE is compared with a provenance only", "espalier verify --provenance PROVENANCE --key KEY "+files[0])
			}
			w, err := a.open(cmd.Context(), o.work)
			if err != nil {
				return err
			}
			defer w.Close()
			return w.Verify(cmd.Context(), o.what)
		},
	}
	f := cmd.Flags()
	o.work.addFlags(f)
	f.BoolVar(&o.what.Record, "record", false, "record the verified result in espalier.lock")
	f.StringSliceVar(&o.what.Conditions, "condition", nil, "vary only the conditions `NAMES`, separated by commas (default all)")
	_ = cmd.RegisterFlagCompletionFunc("condition", command.OneOf(build.ConditionNames()))
	f.BoolVar(&o.what.Matrix, "matrix", false, "build once for each condition instead of once for all")
	f.BoolVar(&o.what.Line, "line", false, "print the verdict as one line for the page of a release")
	f.StringVar(&o.Against, "against", "", "compare with the firmware in `FILE`, at a URL or on the board at a port, instead of building twice")
	f.StringVar(&o.Provenance, "provenance", "", "check the signed provenance in `FILE` instead of building twice")
	f.StringVar(&o.Key, "key", "", "the public key, or keys, in `FILE` that may have signed the provenance")
	for _, name := range []string{"record", "condition", "matrix", "line"} {
		cmd.MarkFlagsMutuallyExclusive("against", "provenance", name)
	}
	return cmd
}

// checkProvenance verifies the signature of a provenance and compares files with it, or
// the project's firmware when there are none.
func checkProvenance(ctx context.Context, a *app, o verifyOptions, files []string) error {
	if o.Key == "" {
		return fault.New(fault.Usage, "--provenance needs the public key that is trusted", "espalier verify --provenance "+o.Provenance+" --key release.pub")
	}
	p, err := workspace.OpenProvenance(o.Provenance, o.Key)
	if err != nil {
		return err
	}
	for _, name := range files {
		if err := p.Match(name); err != nil {
			return err
		}
	}
	if len(files) == 0 {
		w, err := a.open(ctx, o.work)
		if err != nil {
			return err
		}
		defer w.Close()
		if err := w.MatchFirmware(ctx, &p); err != nil {
			return err
		}
	}
	a.ui.Event("provenance", p)
	for _, name := range p.Matches {
		a.ui.Printf("%s is what %s has signed", name, p.KeyID)
	}
	a.ui.Note("built by %s", p.Builder)
	return nil
}
