package cli

import (
	"context"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/internal/workspace"
)

type verifyOptions struct {
	work   workOptions
	Record bool

	Provenance, Key, Against string
}

func newVerify(a *app) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "build again under other conditions and compare bit for bit",
		Long: `Build the firmware a second time, from scratch and at another time: without the
dependency layer and without any cached result, in another place, as another user, on
another host name, with another number of jobs, with the input files created in another
order, and with the locked inputs hashed again. Then compare ELF and image, bit for bit,
with the ordinary build and with the results recorded in espalier.lock.

A difference is explained: section, text around it, likely cause.

With --against, the firmware is built once and compared with that of others: an ELF, an
image or the content of a flash, in a file, at an address or on a board, also signed or
padded. What counts is the payload, below header, padding and signature.

With --provenance, nothing is built twice: the signature of a provenance (espalier attest)
is checked with a public key, and FILE, or the firmware that the project builds, must be a
subject of it.` +
			command.Exits(fault.Build, fault.Port, fault.Chip, fault.Pins, fault.Sandbox, fault.Differ),
		Example: `  espalier verify
  espalier verify --record         and keep the result in espalier.lock for later verifications
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
			return verify(cmd.Context(), a.ui, w, o.Record)
		},
	}
	o.work.addFlags(cmd.Flags())
	cmd.Flags().BoolVar(&o.Record, "record", false, "record the verified result in espalier.lock")
	cmd.Flags().StringVar(&o.Against, "against", "", "compare with the firmware in `FILE`, at a URL or on the board at a port, instead of building twice")
	cmd.Flags().StringVar(&o.Provenance, "provenance", "", "check the signed provenance in `FILE` instead of building twice")
	cmd.Flags().StringVar(&o.Key, "key", "", "the public key, or keys, in `FILE` that may have signed the provenance")
	cmd.MarkFlagsMutuallyExclusive("against", "provenance", "record")
	return cmd
}

// verify prints the verdict on a project, and records the result if wanted.
func verify(ctx context.Context, out *ui.UI, w *workspace.Workspace, record bool) error {
	v, err := w.Verify(ctx)
	if err != nil {
		return err
	}
	out.Event("verify", v)
	for _, d := range v.Differences {
		out.Printf("%s", d)
		out.Printf("  likely cause: %s", d.Cause)
	}
	if err := v.Err(record); err != nil {
		return err
	}
	out.Printf("ELF    %s", v.ELF)
	out.Printf("image  %s", v.Image)
	out.Note("%s is bit-identical when it is built from scratch as another user, on another host name, in another place, with %s jobs and files in another order",
		v.Name, v.Jobs)
	if record {
		return w.Record(v)
	}
	return nil
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
