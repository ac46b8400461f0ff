package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/workspace"
)

// checkOptions are the flags of check and clippy.
type checkOptions struct {
	work   workOptions
	format string
	crates bool
	build  build.CheckOptions
}

const checkText = `Everything happens in the sandbox of the build and on its
dependency layer, so a check after a build compiles no dependency, nor does a build
after a check. Without --bin or --example it is every binary of the package.

--message-format json prints cargo's own messages, with paths of this machine, for
editors: rust-analyzer needs no Rust on this machine (docs/editors.md).`

func newCheck(a *app) *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check",
		Short: "check the project for errors without making firmware",
		Long:  "Compile the project without generating code. " + checkText + command.Exits(fault.Build, fault.Pins, fault.Sandbox),
		Example: `  espalier check
  espalier check --message-format json             what an editor runs
  espalier check --rust-project > rust-project.json`,
		Args: command.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.check(cmd.Context(), o) },
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&o.crates, "rust-project", false, "print a rust-project.json for rust-analyzer instead of checking")
	return cmd
}

func newClippy(a *app) *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "clippy [-- LINT...]",
		Short: "check the project with Clippy's lints",
		Long: `Check the project with the Clippy of the locked toolchain: components = ["clippy"] in
rust-toolchain.toml adds it to the next espalier lock. ` + checkText + command.Exits(fault.Build, fault.Pins, fault.Sandbox),
		Example: `  espalier clippy
  espalier clippy -- -W clippy::pedantic -D warnings`,
		Args: command.AfterDash("LINT"),
		RunE: func(cmd *cobra.Command, lints []string) error {
			o.build = build.CheckOptions{Clippy: true, Lints: lints}
			return a.check(cmd.Context(), o)
		},
	}
	o.addFlags(cmd)
	return cmd
}

func (o *checkOptions) addFlags(cmd *cobra.Command) {
	o.work.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&o.format, "message-format", "human", "print messages in the `FORMAT` of cargo: "+strings.Join(workspace.MessageFormats(), ", "))
	_ = cmd.RegisterFlagCompletionFunc("message-format", command.OneOf(workspace.MessageFormats()))
}

// check checks the chosen firmware, or every binary of the package.
func (a *app) check(ctx context.Context, o checkOptions) error {
	if !slices.Contains(workspace.MessageFormats(), o.format) {
		return command.UnknownValue("--message-format", o.format, workspace.MessageFormats())
	}
	if strings.HasPrefix(o.format, "json") && a.ui.JSON() {
		return fault.New(fault.Usage, "--json and --message-format "+o.format+" both print on stdout: choose one")
	}
	w, err := a.open(ctx, o.work)
	if err != nil {
		return err
	}
	defer w.Close()
	if !o.crates {
		return w.Check(ctx, o.format, o.build)
	}
	text, err := w.RustProject(ctx)
	if err == nil {
		a.ui.Printf("%s", text)
	}
	return err
}
