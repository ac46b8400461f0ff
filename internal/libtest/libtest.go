// Package libtest has the flags of Rust's test harness, libtest, which cargo test
// and cargo nextest pass after "--" and its users know: filters, --list, --exact,
// --nocapture, --test-threads, --format. The same flags can be given before "--",
// too.
//
// The flags are those of rustc's "Rust tests" documentation, as far as they mean
// something for tests that run on a board.
package libtest

import (
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/fwtest"
)

// Flags are what the arguments of libtest say.
type Flags struct {
	Filter    fwtest.Filter // Names are added by the caller
	List      bool          // print the tests, run none
	NoCapture bool          // show the output of tests that pass, too
	Workers   int           // after Check at least 1
	Format    fwtest.Format // set by Check

	format string
}

// Add defines the flags.
func (o *Flags) Add(f *pflag.FlagSet) {
	f.BoolVar(&o.List, "list", false, "list the tests and run none")
	f.BoolVar(&o.Filter.Exact, "exact", false, "filters are whole names")
	f.StringArrayVar(&o.Filter.Skip, "skip", nil, "leave out tests whose name contains `FILTER`")
	f.BoolVar(&o.Filter.Ignored, "ignored", false, "run only tests that are marked as ignored")
	f.BoolVar(&o.Filter.Included, "include-ignored", false, "run tests that are marked as ignored, too")
	f.BoolVar(&o.NoCapture, "nocapture", false, "show the output of tests that pass, too")
	f.IntVar(&o.Workers, "test-threads", 0, "run `N` boards at a time (default: the number of CPUs)")
	f.StringVar(&o.format, "format", "pretty", "`FORMAT` of the results: pretty, terse or json")
}

// Parse reads the arguments after "--" of cmd, whose flags were defined by Add, and
// returns the names among them. A flag that was given before "--" keeps its
// value. Flags of libtest that have another name or no meaning here are accepted:
// cargo nextest and editors pass them.
func (o *Flags) Parse(cmd *cobra.Command, args []string) (names []string, err error) {
	// Add gives the variables their defaults again, so what was given is taken before.
	before := map[string][]string{}
	cmd.Flags().Visit(func(given *pflag.Flag) {
		before[given.Name] = []string{given.Value.String()}
		if list, ok := given.Value.(pflag.SliceValue); ok {
			before[given.Name] = list.GetSlice()
		}
	})
	f := pflag.NewFlagSet("test", pflag.ContinueOnError)
	f.SetOutput(io.Discard)
	o.Add(f)
	f.VisitAll(func(flag *pflag.Flag) {
		for _, value := range before[flag.Name] {
			_ = flag.Value.Set(value)
		}
	})
	f.BoolP("quiet", "q", false, "")
	f.Bool("no-capture", false, "")
	f.Bool("show-output", false, "")
	f.StringP("unstable", "Z", "", "")
	if err := f.Parse(args); err != nil {
		return nil, command.FlagError(cmd, err)
	}
	if on, _ := f.GetBool("quiet"); on && !f.Changed("format") {
		o.format = "terse"
	}
	for _, name := range []string{"no-capture", "show-output"} {
		on, _ := f.GetBool(name)
		o.NoCapture = o.NoCapture || on
	}
	return f.Args(), nil
}

// Check refuses values that mean nothing and completes the others.
func (o *Flags) Check() (err error) {
	if o.Format, err = fwtest.ParseFormat(o.format); err != nil {
		return fault.Wrap(fault.Usage, err, "--format")
	}
	if o.Filter.Ignored && o.Filter.Included {
		return fault.New(fault.Usage, "--ignored and --include-ignored exclude each other")
	}
	if o.Workers < 0 {
		return fault.Wrap(fault.Usage, errors.New("want a number that is not negative"), fmt.Sprintf("--test-threads %d", o.Workers))
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	return nil
}
