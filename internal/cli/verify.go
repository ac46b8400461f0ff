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
}

func newVerify(a *app) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "build again under other conditions and compare bit for bit",
		Long: `Build the firmware a second time, from scratch and at another time: without the
dependency layer and without any cached result, in another place, as another user, on
another host name, with another number of jobs, with the input files created in another
order, and with the locked inputs hashed again. Then compare ELF and image, bit for bit,
with the ordinary build and with the results recorded in espalier.lock.

A difference is explained: section, text around it, likely cause.` +
			command.Exits(fault.Build, fault.Pins, fault.Sandbox, fault.Differ),
		Example: `  espalier verify
  espalier verify --record         and keep the result in espalier.lock for later verifications`,
		Args: command.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
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
