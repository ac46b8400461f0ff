package session

import (
	"fmt"
	"path/filepath"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/monitor"
)

// FromProject takes the options that given does not name, by their flags, from
// [run] of a project. The error is a fault.Usage with the place of a value that is
// not usable.
func (o *Options) FromProject(given func(flag string) bool, p *project.Project) error {
	c := p.Espalier.Run
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
