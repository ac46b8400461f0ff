package cli

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/ui"
)

// checkOptions are the flags of check and clippy.
type checkOptions struct {
	work   workOptions
	format string
	crates bool
	build  build.CheckOptions
}

func messageFormats() []string {
	return []string{"human", "short", "json", "json-diagnostic-rendered-ansi", "json-render-diagnostics"}
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
		Long:  "Compile the project without generating code. " + checkText + exits(fault.Build, fault.Pins, fault.Sandbox),
		Example: `  espalier check
  espalier check --message-format json             what an editor runs
  espalier check --rust-project > rust-project.json`,
		Args: args(),
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
rust-toolchain.toml adds it to the next espalier lock. ` + checkText + exits(fault.Build, fault.Pins, fault.Sandbox),
		Example: `  espalier clippy
  espalier clippy -- -W clippy::pedantic -D warnings`,
		Args: afterDash("LINT"),
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
	cmd.Flags().StringVar(&o.format, "message-format", "human", "print messages in the `FORMAT` of cargo: "+strings.Join(messageFormats(), ", "))
	_ = cmd.RegisterFlagCompletionFunc("message-format", oneOf(messageFormats()))
}

// check checks the chosen firmware, or every binary of the package.
func (a *app) check(ctx context.Context, o checkOptions) error {
	if !slices.Contains(messageFormats(), o.format) {
		return unknownValue("--message-format", o.format, messageFormats())
	}
	asJSON := strings.HasPrefix(o.format, "json")
	if asJSON && a.ui.JSON() {
		return fault.New(fault.Usage, "--json and --message-format "+o.format+" both print on stdout: choose one")
	}
	w, err := a.open(ctx, o.work)
	if err != nil {
		return err
	}
	defer w.close()
	targets, err := w.checked()
	if err != nil {
		return err
	}
	pins, err := w.pins(ctx)
	if err != nil {
		return err
	}
	r := w.runner()
	switch {
	case o.format == "short":
		r.Messages = nil
		r.Lines = func(line []byte) {
			if text := build.ShortMessage(line); text != "" {
				a.ui.Diagnostic(text)
			}
		}
	case asJSON:
		if o.format != "json-render-diagnostics" {
			r.Messages = nil
		}
		r.Lines = func(line []byte) { printCargo(a.ui, o.format, line) }
	}
	if o.crates {
		return w.rustProject(ctx, pins, targets[0])
	}
	var failed error
	for _, t := range targets {
		w.project.Binary, w.project.Example = "", ""
		if t.Kind == cargo.KindExample {
			w.project.Example = t.Name
		} else {
			w.project.Binary = t.Name
		}
		if err = w.project.CheckEnv(); err == nil {
			var plan build.Plan
			if plan, err = w.plan(ctx, pins); err == nil {
				err = r.Check(ctx, plan, o.build)
			}
		}
		if err != nil && fault.KindOf(err) != fault.Build {
			return err
		}
		if err != nil && failed == nil {
			failed = err
		}
	}
	if asJSON {
		a.ui.Printf(`{"reason":"build-finished","success":%t}`, failed == nil)
	}
	return failed
}

// printCargo prints one of cargo's messages in a JSON format. Each binary is one
// cargo, whose end is not the end of the check.
func printCargo(out *ui.UI, format string, line []byte) {
	reason, _, _ := strings.Cut(strings.TrimPrefix(string(line), `{"reason":"`), `"`)
	switch {
	case reason == "build-finished":
		return
	case format == "json":
		line = build.PlainMessage(line)
	case format == "json-render-diagnostics" && reason == "compiler-message":
		return
	}
	out.Printf("%s", line)
}

// checked lists what a check covers: the chosen binary or example, or every
// binary of the package.
func (w *workspace) checked() ([]cargo.Target, error) {
	own, err := w.project.Selected()
	if err != nil {
		return nil, err
	}
	bins := own.TargetsOf(cargo.KindBin)
	if w.project.Binary != "" || w.project.Example != "" || len(bins) < 2 {
		t, err := w.project.Artifact()
		return []cargo.Target{t}, err
	}
	return bins, nil
}

// rustProject prints the crates of a firmware for rust-analyzer.
func (w *workspace) rustProject(ctx context.Context, pins *lock.File, t cargo.Target) error {
	if t.Kind == cargo.KindBin {
		w.project.Binary = t.Name
	}
	plan, err := w.plan(ctx, pins)
	if err != nil {
		return err
	}
	p, err := w.runner().RustProject(ctx, plan)
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return err
	}
	w.app.ui.Printf("%s", b)
	return nil
}
