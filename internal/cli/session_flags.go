package cli

import (
	"github.com/spf13/pflag"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/session"
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
