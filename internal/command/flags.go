package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"espalier.dev/espalier/internal/fault"
)

// DirectoryVar defines a flag for a directory. An address is refused with hint,
// which names the flag that takes one.
func DirectoryVar(f *pflag.FlagSet, to *string, name, usage, hint string) {
	f.Var(directoryFlag{to, hint}, name, usage)
}

type directoryFlag struct {
	to   *string
	hint string
}

func (d directoryFlag) Set(s string) error {
	if strings.Contains(s, "://") {
		return errors.New(s + " is an address; " + d.hint)
	}
	*d.to = s
	return nil
}

func (d directoryFlag) String() string {
	if d.to == nil {
		return ""
	}
	return *d.to
}

func (directoryFlag) Type() string { return "DIR" }

// RefuseFlags refuses the flags of a set that were given where they have no
// meaning: a fault.Usage with the reason why.
func RefuseFlags(set *pflag.FlagSet, given func(name string) bool, why string, hints ...string) error {
	var err error
	set.VisitAll(func(f *pflag.Flag) {
		if err == nil && given(f.Name) {
			err = fault.New(fault.Usage, fmt.Sprintf("--%s: %s", f.Name, why), hints...)
		}
	})
	return err
}

// OneOf completes a flag that has one of the values.
func OneOf(values []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		var out []string
		for _, v := range values {
			if strings.HasPrefix(v, typed) {
				out = append(out, v)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// Switch reads the value of an environment variable that is on or off.
func Switch(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "", "0", "false", "no", "off":
		return false, nil
	case "1", "true", "yes", "on":
		return true, nil
	}
	return false, fmt.Errorf("%q is neither 1 nor 0", s)
}
