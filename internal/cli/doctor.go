package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/pin"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/sandbox"
	"espalier.dev/espalier/internal/supply/debian"
	"espalier.dev/espalier/internal/ui"
)

type doctorOptions struct {
	Config bool
}

func newDoctor(a *app) *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "check this machine and the project, with remedies",
		Long: `Check what a build needs of this machine: a sandbox, a place for the store, a
supplier of the compiler, the pins of the project. Nothing is changed and the
network is not used. With --config, print every setting, its value and where it
came from instead.` + exits(fault.Pins, fault.Sandbox),
		Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Config {
				return a.doctorConfig()
			}
			return a.doctor(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&o.Config, "config", false, "print all settings with their origin")
	return cmd
}

// finding is one line of doctor.
type finding struct {
	What  string   `json:"what"`
	OK    bool     `json:"ok"`
	Text  string   `json:"text"`
	Hints []string `json:"hints,omitempty"`
	err   error
}

// bad makes the finding of an error.
func bad(what string, err error) finding {
	err = classify(err)
	return finding{What: what, Text: err.Error(), Hints: fault.Hints(err), err: err}
}

func (a *app) doctor(ctx context.Context) error {
	checks := []func(context.Context) finding{a.checkSandbox, a.checkStore, a.checkSupplier, a.checkProject}
	var first error
	failed := 0
	for _, check := range checks {
		f := check(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		a.ui.Event("check", f)
		mark := a.ui.Paint(ui.Stdout, ui.Green, "ok  ")
		if !f.OK {
			mark = a.ui.Paint(ui.Stdout, ui.Red, "no  ")
			failed++
			if first == nil {
				first = f.err
			}
		}
		a.ui.Printf("%s%s: %s", mark, f.What, f.Text)
		for _, h := range f.Hints {
			a.ui.Printf("      %s", h)
		}
	}
	if failed > 0 {
		return fault.New(fault.KindOf(first), fmt.Sprintf("%d of %d checks failed", failed, len(checks)))
	}
	return nil
}

func (a *app) checkSandbox(ctx context.Context) finding {
	const what = "sandbox"
	r := sandbox.Probe(ctx)
	if !r.OK {
		f := bad(what, r.Err)
		for _, c := range r.Checks {
			if !c.OK {
				f.Text += " (" + c.Name + ")"
			}
		}
		return f
	}
	var names []string
	for _, c := range r.Checks {
		names = append(names, c.Name)
	}
	return finding{What: what, OK: true, Text: strings.Join(append(names, r.Notes...), ", ")}
}

func (a *app) checkStore(ctx context.Context) finding {
	const what = "store"
	p, err := a.settings(project.Flags{})
	if err != nil {
		return bad(what, err)
	}
	st, err := a.openStore(ctx, p.Espalier)
	if err != nil {
		return bad(what, err)
	}
	defer st.Close()
	dir := p.Espalier.Store
	text := dir.V + " (" + dir.Origin.String() + ")"
	const elsewhere = "espalier --store DIR, or ESPALIER_STORE, chooses another place"
	if st.ReadOnly() {
		return finding{What: what, Text: text + " is read-only", Hints: []string{elsewhere}, err: fault.New(fault.Usage, "store is read-only")}
	}
	if free, ok := freeSpace(dir.V); ok {
		text += ", " + ui.Size(free) + " free"
		// A toolchain is 230 MB packed and 780 MB unpacked.
		if free < 2<<30 {
			return finding{What: what, Text: text + "; a toolchain and a build need about 2 GiB",
				Hints: []string{"espalier gc", elsewhere}, err: fault.New(fault.Usage, "little space")}
		}
	}
	return finding{What: what, OK: true, Text: text}
}

func (a *app) checkSupplier(context.Context) finding {
	const what = "compiler"
	if runtime.GOOS != "linux" {
		return finding{What: what, Text: "firmware is built on Linux; on " + runtime.GOOS + " espalier emulates and inspects",
			err: fault.New(fault.Sandbox, "not Linux")}
	}
	cfg := debian.Config{Host: runtime.GOOS + "/" + runtime.GOARCH}
	p, err := a.settings(project.Flags{})
	if err != nil {
		return bad(what, err)
	}
	cfg.Prefixes = p.Espalier.Supply.Prefixes.V
	cfg.Sources = pin.SourcesOf(p.Espalier.Supply)
	sup, err := debian.Discover("/", cfg)
	if err != nil {
		return bad(what, err)
	}
	return finding{What: what, OK: true, Text: "from " + sup.String()}
}

func (a *app) checkProject(ctx context.Context) finding {
	const what = "project"
	if cargo.Find(absolute(a.projectDir())) == "" {
		return finding{What: what, OK: true, Text: "none here"}
	}
	p, err := project.Open(a.projectDir(), a.projectOptions(project.Flags{}))
	if err != nil {
		return bad(what, err)
	}
	name := p.Package
	if name == "" {
		name = "workspace"
	}
	pins, err := lock.Load(p)
	if errors.Is(err, fs.ErrNotExist) {
		return finding{What: what, Text: name + " has no " + lock.FileName, Hints: []string{"espalier lock"}, err: fault.New(fault.Pins, "no lock")}
	}
	if err != nil {
		return bad(what, err)
	}
	text := name + ", " + lock.FileName + " is up to date"
	st, err := a.openStore(ctx, p.Espalier)
	if err != nil {
		return bad(what, err)
	}
	defer st.Close()
	if m := pin.Missing(ctx, st, pins, lock.Host()); m.Files > 0 {
		text += fmt.Sprintf("; %d files are not in the store (%s): espalier fetch", m.Files, ui.Size(m.Bytes))
	}
	return finding{What: what, OK: true, Text: text}
}

func absolute(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}

// setting is a value with where it was set.
type setting struct {
	Name   string `json:"name"`
	Env    string `json:"env,omitempty"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

// doctorConfig prints every setting.
func (a *app) doctorConfig() error {
	settings := []setting{}
	for _, g := range []struct {
		name, env, value, flag string
	}{
		{"offline", "ESPALIER_OFFLINE", fmt.Sprint(a.global.Offline), "offline"},
		{"project", "ESPALIER_PROJECT", a.projectDir(), "project"},
	} {
		s := setting{Name: g.name, Env: g.env, Value: g.value, Origin: "default"}
		if v, ok := a.lookup(g.env); ok && v != "" {
			s.Origin = "environment " + g.env
		}
		if a.given[g.flag] {
			s.Origin = "flag --" + g.flag
		}
		settings = append(settings, s)
	}
	p, err := a.settings(project.Flags{})
	if err != nil {
		return err
	}
	for _, e := range p.Espalier.Explain() {
		settings = append(settings, setting{e.Name, e.Env, e.Value, e.Origin.String()})
	}
	t := ui.Table{Head: []string{"setting", "value", "from", "variable"}}
	for _, s := range settings {
		a.ui.Event("setting", s)
		t.Rows = append(t.Rows, []string{s.Name, s.Value, s.Origin, s.Env})
	}
	a.ui.Table(t)
	return nil
}
