package command

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/suggest"
)

// Args checks for exactly these positional arguments; a name in brackets may be
// missing.
func Args(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, got []string) error {
		required := 0
		for _, n := range names {
			if !strings.HasPrefix(n, "[") {
				required++
			}
		}
		hint := cmd.CommandPath() + " --help"
		if len(got) < required {
			return fault.New(fault.Usage, fmt.Sprintf("%s: %s is missing", cmd.Name(), names[len(got)]), hint)
		}
		if at := cmd.ArgsLenAtDash(); at >= 0 && len(got) > len(names) {
			return fault.New(fault.Usage, fmt.Sprintf("%s: nothing takes the arguments after --: %s", cmd.Name(), strings.Join(got[max(at, len(names)):], " ")),
				"firmware has no command line; --input and [build.env] reach it", hint)
		}
		if len(got) > len(names) {
			return fault.New(fault.Usage, fmt.Sprintf("%s: unexpected argument %s", cmd.Name(), got[len(names)]), hint)
		}
		return nil
	}
}

// FlagError is the error of a flag: `--seed: "x" is not a number`. It is a
// fault.Usage with a flag of a similar name, or the verbs that have the flag.
func FlagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && cmd.HasParent() {
		return unknownFlag(cmd, unknown)
	}
	var bad *pflag.InvalidValueError
	if errors.As(err, &bad) {
		cause := bad.Unwrap()
		var number *strconv.NumError
		if errors.As(cause, &number) {
			cause = fmt.Errorf("%q is not a number", bad.GetValue())
			if errors.Is(number.Err, strconv.ErrRange) {
				cause = fmt.Errorf("%q is out of range", bad.GetValue())
			}
		}
		err = fmt.Errorf("--%s: %w", bad.GetFlag().Name, cause)
	}
	return fault.Wrap(fault.Usage, err, "", cmd.CommandPath()+" --help")
}

// unknownFlag is the error of a flag that a verb does not have, with the flag
// that was probably meant, or the verbs that have it.
func unknownFlag(cmd *cobra.Command, err *pflag.NotExistError) error {
	name := err.GetSpecifiedName()
	if short := err.GetSpecifiedShortnames(); short != "" {
		return fault.New(fault.Usage, fmt.Sprintf("%s has no flag -%s", cmd.Name(), name), cmd.CommandPath()+" --help")
	}
	var known, elsewhere []string
	visit := func(f *pflag.Flag) {
		if !f.Hidden {
			known = append(known, f.Name)
		}
	}
	cmd.LocalFlags().VisitAll(visit)
	cmd.InheritedFlags().VisitAll(visit)
	for _, other := range cmd.Root().Commands() {
		if f := other.LocalNonPersistentFlags().Lookup(name); f != nil && !f.Hidden {
			elsewhere = append(elsewhere, other.CommandPath()+" --"+name)
		}
	}
	hints := []string{cmd.CommandPath() + " --help"}
	if near := suggest.Nearest(name, known); near != "" {
		hints = []string{cmd.CommandPath() + " --" + near}
	} else if len(elsewhere) > 0 {
		hints = elsewhere[:min(len(elsewhere), 3)]
	}
	return fault.New(fault.Usage, fmt.Sprintf("%s has no flag --%s", cmd.Name(), name), hints...)
}

var unknownVerb = regexp.MustCompile(`^unknown command "(.*)" for "(.*)"`)

// VerbError replaces cobra's error about an unknown verb by a fault.Usage with the
// verbs of similar names, or with the command that elsewhere has for a word of
// another tool. Other errors are returned as they are.
func VerbError(root *cobra.Command, err error, elsewhere map[string]string) error {
	if err == nil {
		return nil
	}
	m := unknownVerb.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	if command, ok := elsewhere[strings.ReplaceAll(m[1], "_", "-")]; ok {
		return fault.New(fault.Usage, "unknown verb "+m[1]+": "+root.Name()+"'s word for it is another", command)
	}
	var hints []string
	root.SuggestionsMinimumDistance = 2
	for _, s := range root.SuggestionsFor(m[1]) {
		hints = append(hints, m[2]+" "+s)
	}
	if hints == nil {
		hints = []string{m[2] + " --help lists the verbs"}
	}
	return fault.New(fault.Usage, fmt.Sprintf("unknown verb %s", m[1]), hints...)
}

// AfterDash accepts positional arguments after -- only.
func AfterDash(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, got []string) error {
		if at := cmd.ArgsLenAtDash(); len(got) > 0 && at != 0 {
			return fault.New(fault.Usage, fmt.Sprintf("%s: unexpected argument %s", cmd.Name(), got[0]),
				fmt.Sprintf("%s -- %s   # each %s follows --", cmd.CommandPath(), got[0], name))
		}
		return nil
	}
}

// UnknownValue is the error of a value that is not one of the known ones; what is
// the flag or argument that has it.
func UnknownValue(what, value string, known []string) error {
	hints := []string{"known values: " + strings.Join(known, ", ")}
	if near := suggest.Nearest(value, known); near != "" {
		hints = append([]string{what + " " + near}, hints...)
	}
	return fault.New(fault.Usage, fmt.Sprintf("%s: unknown value %q", what, value), hints...)
}
