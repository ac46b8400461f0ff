package cli

import (
	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/attest"
	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/internal/workspace"
)

func newAttest(a *app) *cobra.Command {
	var o workOptions
	var what workspace.AttestOptions
	cmd := &cobra.Command{
		Use:   "attest",
		Short: "state what the firmware was made of, signed",
		Long: `Build the firmware and write its provenance: an in-toto statement with a SLSA provenance
predicate, whose subjects are ELF and image and whose dependencies are everything that
espalier.lock names, the lock and the project's files. It has no time in it: equal builds
have equal provenance.

With --key, the statement is in a DSSE envelope that the key has signed. A key is a file:
ed25519, ECDSA or RSA in PEM, a private key of OpenSSH, or an armoured one of OpenPGP.
` + workspace.PassphraseVariable + ` in the environment opens a protected key of OpenSSH or OpenPGP.
espalier verify --provenance checks it.` + command.Exits(fault.Build, fault.Pins, fault.Sandbox, fault.Differ),
		Example: `  espalier attest --key release.pem --out firmware.intoto.json
  espalier attest --key ~/.ssh/id_ed25519 --builder-id https://ci.example.com/firmware`,
		Args: command.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.open(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer w.Close()
			made, err := w.Attest(cmd.Context(), what)
			if err != nil {
				return err
			}
			a.ui.Event("attest", made)
			a.ui.Printf("%s", ui.Path(made.File))
			if !made.Signed {
				a.ui.Note("not signed: espalier attest --key FILE signs it")
			}
			return nil
		},
	}
	o.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&what.Key, "key", "", "sign with the private key in `FILE`")
	cmd.Flags().StringVarP(&what.File, "out", "o", "", "write to `FILE` instead of target/espalier/NAME.intoto.json")
	cmd.Flags().StringVar(&what.Builder, "builder-id", "", "the `URI` of the platform that builds (default: "+attest.LocalBuilder+")")
	return cmd
}
