package cli

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/session"
	"espalier.dev/espalier/monitor"
)

// addSessionFlags defines the flags of run, emulate and monitor that say how a
// board is monitored, and until when.
func addSessionFlags(f *pflag.FlagSet, o *session.Options) {
	f.StringArrayVar(&o.Expect, "expect", nil, "succeed when a line contains `TEXT` or matches /regex/; repeated: all of them")
	f.StringArrayVar(&o.Fail, "fail", nil, "fail when a line contains `TEXT` or matches /regex/")
	command.DurationVar(f, &o.Timeout, "timeout", "give up after `TIME` on the host's clock (exit 124)")
	command.DurationVar(f, &o.For, "for", "run for `TIME` on the board's clock")
	f.StringVar(&o.Log, "log", "", "write every byte that the board sends to `FILE`")
	f.StringArrayVar(&o.Filter, "filter", nil, "show only lines that contain `TEXT` or match /regex/; repeated: any of them")
	f.BoolVar(&o.Timestamps, "timestamps", false, "show the time since the start before each line")
	f.BoolVar(&o.Text, "text", false, "show lines instead of bytes on a pipe, too")
}

// configureSession takes the options that were not given as flags from [run].
func configureSession(cmd *cobra.Command, o *session.Options, p *project.Project) error {
	c, given := p.Espalier.Run, cmd.Flags().Changed
	if !given("expect") {
		o.Expect = c.Expect.V
	}
	if !given("fail") {
		o.Fail = c.Fail.V
	}
	if !given("timeout") {
		o.Timeout = c.Timeout.V
	}
	if !given("for") {
		o.For = c.For.V
	}
	if !given("log") && c.Log.V != "" {
		o.Log = filepath.Join(p.Root, filepath.FromSlash(c.Log.V))
	}
	for _, r := range []struct {
		flag  string
		value config.Value[[]string]
	}{{"expect", c.Expect}, {"fail", c.Fail}} {
		if _, err := monitor.ParseRules(r.value.V); err != nil && !given(r.flag) {
			return fault.Wrap(fault.Usage, err, r.value.Origin.String())
		}
	}
	for _, d := range []struct {
		key   string
		value config.Value[string]
		bad   bool
	}{
		{"run.timeout", config.Value[string]{V: c.Timeout.V.String(), Origin: c.Timeout.Origin}, c.Timeout.IsSet() && o.Timeout <= 0},
		{"run.for", config.Value[string]{V: c.For.V.String(), Origin: c.For.Origin}, c.For.IsSet() && o.For <= 0},
	} {
		if d.bad {
			return fault.New(fault.Usage, fmt.Sprintf("%s: %s: %s is not longer than 0s", d.value.Origin, d.key, d.value.V))
		}
	}
	return nil
}

// newSession checks the options of a session before anything is built or opened.
func newSession(a *app, o session.Options) (*session.Session, error) {
	s, err := session.New(o)
	if err == nil {
		err = session.CheckCreate(o.Log)
	}
	if err != nil {
		return nil, err
	}
	s.UI, s.Stdin, s.Hooks = a.ui, a.stdin, &a.hooks
	return s, nil
}
