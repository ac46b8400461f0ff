package workspace

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
)

// MessageFormats are the formats of the compiler's messages that Check knows:
// those of cargo check --message-format.
func MessageFormats() []string {
	return []string{"human", "short", "json", "json-diagnostic-rendered-ansi", "json-render-diagnostics"}
}

// Check compiles the chosen firmware, or every binary of the package, without
// making code, and shows messages in one of the MessageFormats. The error is of
// the first that has errors; the others are checked, too.
func (w *Workspace) Check(ctx context.Context, format string, o build.CheckOptions) error {
	targets, err := w.checked()
	if err != nil {
		return err
	}
	pins, err := w.Pins(ctx)
	if err != nil {
		return err
	}
	r := w.Runner()
	asJSON := strings.HasPrefix(format, "json")
	switch {
	case format == "short":
		r.Messages = nil
		r.Lines = func(line []byte) {
			if text := build.ShortMessage(line); text != "" {
				w.ui.Diagnostic(text)
			}
		}
	case asJSON:
		if format != "json-render-diagnostics" {
			r.Messages = nil
		}
		r.Lines = func(line []byte) { w.printMessage(format, line) }
	}
	var failed error
	for _, t := range targets {
		w.choose(t)
		if err = w.Project.CheckEnv(); err == nil {
			var plan build.Plan
			if plan, err = w.Plan(ctx, pins); err == nil {
				err = r.Check(ctx, plan, o)
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
		w.ui.Printf(`{"reason":"build-finished","success":%t}`, failed == nil)
	}
	return failed
}

// choose makes a target the one that is built.
func (w *Workspace) choose(t cargo.Target) {
	w.Project.Binary, w.Project.Example = "", ""
	if t.Kind == cargo.KindExample {
		w.Project.Example = t.Name
	} else {
		w.Project.Binary = t.Name
	}
}

// printMessage prints one of cargo's messages in a JSON format. Each binary is one
// cargo, whose end is not the end of the check.
func (w *Workspace) printMessage(format string, line []byte) {
	reason, _, _ := strings.Cut(strings.TrimPrefix(string(line), `{"reason":"`), `"`)
	switch {
	case reason == "build-finished":
		return
	case format == "json":
		line = build.PlainMessage(line)
	case format == "json-render-diagnostics" && reason == "compiler-message":
		return
	}
	w.ui.Printf("%s", line)
}

// checked lists what a check covers: the chosen binary or example, or every
// binary of the package.
func (w *Workspace) checked() ([]cargo.Target, error) {
	own, err := w.Project.Selected()
	if err != nil {
		return nil, err
	}
	bins := own.TargetsOf(cargo.KindBin)
	if w.Project.Binary != "" || w.Project.Example != "" || len(bins) < 2 {
		t, err := w.Project.Artifact()
		return []cargo.Target{t}, err
	}
	return bins, nil
}

// RustProject returns the crates of a firmware for rust-analyzer: the text of a
// rust-project.json.
func (w *Workspace) RustProject(ctx context.Context) ([]byte, error) {
	targets, err := w.checked()
	if err != nil {
		return nil, err
	}
	pins, err := w.Pins(ctx)
	if err != nil {
		return nil, err
	}
	w.choose(targets[0])
	plan, err := w.Plan(ctx, pins)
	if err != nil {
		return nil, err
	}
	p, server, err := w.Runner().RustProject(ctx, plan)
	if err != nil {
		return nil, err
	}
	if program, err := os.Executable(); err == nil && !server.IsZero() {
		p.Sysroot = filepath.Join(w.OutDir(), "rust-analyzer")
		if err := build.WriteSysroot(p.Sysroot, program, w.Store.Dir(), server); err != nil {
			return nil, fault.Wrap(fault.Usage, err, "writing the macro server for rust-analyzer")
		}
	}
	return json.MarshalIndent(p, "", " ")
}
