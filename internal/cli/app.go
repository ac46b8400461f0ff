package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"espalier.dev/espalier/internal/exithook"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
)

// app is what every verb is given.
type app struct {
	ui     *ui.UI
	global globals
	given  map[string]bool             // global flags that were on the command line
	lookup func(string) (string, bool) // the environment
	stdin  io.Reader
	verbs  []verb
	hooks  exithook.Hooks // undo what must not outlast the process
}

// globals are the flags that every verb has.
type globals struct {
	JSON    bool
	Offline bool
	NoColor bool
	Quiet   bool
	Verbose bool
	Store   string
	Project string
}

func (g *globals) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&g.JSON, "json", false, "print newline-delimited JSON events on stdout")
	f.BoolVar(&g.Offline, "offline", false, "never use the network")
	f.StringVar(&g.Store, "store", "", "keep blobs, trees and results in `DIR`")
	f.StringVarP(&g.Project, "project", "C", "", "work as if started in `DIR`")
	f.BoolVar(&g.NoColor, "no-color", false, "never use colour")
	f.BoolVarP(&g.Quiet, "quiet", "q", false, "print data and errors only")
	f.BoolVarP(&g.Verbose, "verbose", "v", false, "print more of what happens")
}

// newApp makes the app for argv. The global flags are looked up before cobra
// parses them, so that an error about the flags themselves is already printed
// as they want it.
func newApp(args []string, stdin io.Reader, stdout, stderr io.Writer, lookup func(string) (string, bool)) *app {
	a := &app{lookup: lookup, stdin: stdin, verbs: verbs()}
	var early globals
	f := pflag.NewFlagSet("espalier", pflag.ContinueOnError)
	f.ParseErrorsAllowlist.UnknownFlags = true
	f.Usage = func() {}
	f.SetOutput(io.Discard)
	f.BoolP("help", "h", false, "")
	early.addFlags(f)
	_ = f.Parse(args) // cobra reports what is wrong
	a.ui = ui.New(ui.Options{
		Stdout: stdout, Stderr: stderr, Lookup: lookup,
		JSON: early.JSON, NoColor: early.NoColor, Quiet: early.Quiet, Verbose: early.Verbose,
	})
	return a
}

// root builds the command tree.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "espalier",
		Short: "embedded Rust for the ESP32-C3, from source to a running board, bit for bit the same",
		Long: `espalier takes an embedded Rust project for the ESP32-C3 from source to a running
board, and does exactly the same, bit for bit, on another machine, without a
network, ten years from now. If there is no board, it brings one.`,
		Example: `  espalier demo                    a project, a toolchain, a build, a boot: all from nothing
  cd any-esp-hal-project
  espalier lock                    names become bytes
  espalier run                     build, boot on the emulated board, show the log`,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			cmd.SetOut(a.ui.Writer(ui.Stderr))
			_ = cmd.Help()
			return fault.New(fault.Usage, "no verb", "espalier help VERB explains one")
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			a.given = map[string]bool{}
			cmd.InheritedFlags().Visit(func(f *pflag.Flag) { a.given[f.Name] = true })
			return a.settle()
		},
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	a.global.addFlags(root.PersistentFlags())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fault.Wrap(fault.Usage, err, "", cmd.CommandPath()+" --help")
	})
	root.AddGroup(groups()...)
	root.Flags().BoolP("help", "h", false, "explain the verbs")
	for _, v := range a.verbs {
		cmd := v.make(a)
		cmd.Flags().BoolP("help", "h", false, "explain this verb")
		cmd.GroupID = v.group
		cmd.DisableFlagsInUseLine = true
		root.AddCommand(cmd)
	}
	setHelp(root, a)
	return root
}

// settle applies the environment to the global flags that were not given, and
// changes to the directory of -C.
func (a *app) settle() error {
	g := &a.global
	if v, ok := a.lookup("ESPALIER_OFFLINE"); ok && !g.Offline {
		on, err := parseSwitch(v)
		if err != nil {
			return fault.Wrap(fault.Usage, err, "environment ESPALIER_OFFLINE")
		}
		g.Offline = on
	}
	if v, ok := a.lookup("ESPALIER_PROJECT"); ok && g.Project == "" {
		g.Project = v
	}
	if g.Project != "" {
		if st, err := os.Stat(g.Project); err != nil {
			return fault.Wrap(fault.Usage, err, "opening the project")
		} else if !st.IsDir() {
			return fault.New(fault.Usage, fmt.Sprintf("opening the project: %s is not a directory", g.Project))
		}
	}
	return nil
}

func parseSwitch(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "", "0", "false", "no", "off":
		return false, nil
	case "1", "true", "yes", "on":
		return true, nil
	}
	return false, fmt.Errorf("%q is neither 1 nor 0", s)
}

// run parses args, runs the verb and returns its error as a fault.
func (a *app) run(ctx context.Context, args []string) error {
	root := a.root()
	root.SetArgs(args)
	root.SetOut(a.ui.Writer(ui.Stdout))
	root.SetErr(a.ui.Writer(ui.Stderr))
	root.SetIn(a.stdin)
	return classify(usage(root, root.ExecuteContext(ctx)))
}

var unknownVerb = regexp.MustCompile(`^unknown command "(.*)" for "(.*)"`)

// usage turns what cobra says about the command line into our words.
func usage(root *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	m := unknownVerb.FindStringSubmatch(err.Error())
	if m == nil {
		return err
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

// args makes a check for exactly these positional arguments; a name in
// brackets may be missing.
func args(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, got []string) error {
		least := 0
		for _, n := range names {
			if !strings.HasPrefix(n, "[") {
				least++
			}
		}
		hint := "espalier " + cmd.Name() + " --help"
		if len(got) < least {
			return fault.New(fault.Usage, fmt.Sprintf("%s: %s is missing", cmd.Name(), names[len(got)]), hint)
		}
		if len(got) > len(names) {
			return fault.New(fault.Usage, fmt.Sprintf("%s: unexpected argument %s", cmd.Name(), got[len(names)]), hint)
		}
		return nil
	}
}
