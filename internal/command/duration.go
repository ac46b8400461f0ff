package command

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"
)

type durationFlag struct{ to *time.Duration }

// DurationVar defines a flag for a time that is longer than zero. Zero, its
// default, means that the flag was not given.
func DurationVar(f *pflag.FlagSet, to *time.Duration, name, usage string) {
	f.Var(durationFlag{to}, name, usage)
}

func (d durationFlag) Set(text string) error {
	v, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return fmt.Errorf("%q is not a duration, such as 30s", text)
	case v <= 0:
		return fmt.Errorf("%q is not longer than 0s", text)
	}
	*d.to = v
	return nil
}

func (d durationFlag) String() string {
	if d.to == nil || *d.to == 0 {
		return ""
	}
	return d.to.String()
}

func (durationFlag) Type() string { return "TIME" }
