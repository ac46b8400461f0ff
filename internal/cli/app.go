package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/exithook"
	"espalier.dev/espalier/internal/explain"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/fwtest"
	"espalier.dev/espalier/internal/ui"
)

// app is what every verb needs.
type app struct {
	ui     *ui.UI
	global globals
	given  map[string]bool             // global flags that were on the command line
	lookup func(string) (string, bool) // the environment
	stdin  io.Reader
	verbs  []verb
	output explain.Tail   // what the verb has printed
	hooks  exithook.Hooks // undo what must not outlast the process
}

// globals are the flags of every verb.
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
	f.BoolVar(&g.Offline, "offline", false, "do not use the network")
	f.StringVar(&g.Store, "store", "", "keep blobs, trees and results in `DIR`")
	f.StringVarP(&g.Project, "project", "C", "", "work as if started in `DIR`")
	f.BoolVar(&g.NoColor, "no-color", false, "do not use colour")
	f.BoolVarP(&g.Quiet, "quiet", "q", false, "print data and errors only")
	f.BoolVarP(&g.Verbose, "verbose", "v", false, "print details")
}

// newApp makes the app for argv. The global flags are parsed here once before
// cobra does, so that an error about flags is printed as they ask for.
func newApp(args []string, stdin io.Reader, stdout, stderr io.Writer, lookup func(string) (string, bool)) *app {
	a := &app{lookup: lookup, stdin: stdin, verbs: verbs()}
	var early globals
	f := pflag.NewFlagSet("espalier", pflag.ContinueOnError)
	f.ParseErrorsAllowlist.UnknownFlags = true
	f.Usage = func() {}
	f.SetOutput(io.Discard)
	f.BoolP("help", "h", false, "")
	early.addFlags(f)
	_ = f.Parse(args) // cobra reports errors
	a.ui = ui.New(ui.Options{
		Stdout: stdout, Stderr: stderr, Lookup: lookup, Observe: &a.output,
		JSON: early.JSON, NoColor: early.NoColor, Quiet: early.Quiet, Verbose: early.Verbose,
	})
	return a
}

// newRoot builds the command tree.
func newRoot(a *app) *cobra.Command {
	showsVersion := false
	root := &cobra.Command{
		Use:   "espalier",
		Short: "build embedded Rust for the ESP32-C3 reproducibly, and run it",
		Long: `espalier takes an embedded Rust project for the ESP32-C3 from source to a running board, and does exactly the same,
bit for bit, on another machine, without a network, ten years from now. Without a board it runs the firmware on an
emulated one.`,
		Example: `  espalier demo                    create, lock, build and run a Wi-Fi project
  cd any-esp-hal-project
  espalier lock                    resolve and pin everything that the build needs
  espalier run                     build, boot on the emulated board, show the log`,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if showsVersion {
				showVersion(a.ui)
				return nil
			}
			cmd.SetOut(a.ui.Writer(ui.Stderr))
			_ = cmd.Help()
			return fault.New(fault.Usage, "no verb", "espalier help VERB explains a verb")
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			a.given = map[string]bool{}
			cmd.InheritedFlags().Visit(func(f *pflag.Flag) { a.given[f.Name] = true })
			return completeGlobals(&a.global, a.lookup)
		},
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	a.global.addFlags(root.PersistentFlags())
	root.SetFlagErrorFunc(command.FlagError)
	root.AddGroup(groups()...)
	root.Flags().BoolP("help", "h", false, "list the verbs")
	root.Flags().BoolVarP(&showsVersion, "version", "V", false, "print version, commit and date, as the verb version does")
	for _, v := range a.verbs {
		cmd := v.make(a)
		cmd.Flags().BoolP("help", "h", false, "explain this verb")
		cmd.GroupID = v.group
		cmd.DisableFlagsInUseLine = true
		completeFlags(a, cmd)
		root.AddCommand(cmd)
	}
	command.SetHelp(root, func() int { return a.ui.Width(ui.Stdout) })
	return root
}

// completeGlobals applies the environment to the global flags that were not
// given, and checks the directory of -C.
func completeGlobals(g *globals, lookup func(string) (string, bool)) error {
	if v, ok := lookup("ESPALIER_OFFLINE"); ok && !g.Offline {
		on, err := command.Switch(v)
		if err != nil {
			return fault.Wrap(fault.Usage, err, "environment ESPALIER_OFFLINE")
		}
		g.Offline = on
	}
	if v, ok := lookup("ESPALIER_PROJECT"); ok && g.Project == "" {
		g.Project = v
	}
	if g.Project == "" {
		return nil
	}
	if st, err := os.Stat(g.Project); err != nil {
		return fault.Wrap(fault.Usage, err, "opening the project")
	} else if !st.IsDir() {
		return fault.New(fault.Usage, fmt.Sprintf("opening the project: %s is not a directory", g.Project))
	}
	return nil
}

// dispatch parses args and runs the verb.
func dispatch(ctx context.Context, a *app, args []string) error {
	root := newRoot(a)
	root.SetArgs(fwtest.RunnerArgs(args))
	root.SetOut(a.ui.Writer(ui.Stdout))
	root.SetErr(a.ui.Writer(ui.Stderr))
	root.SetIn(a.stdin)
	return command.VerbError(root, root.ExecuteContext(ctx), otherWords())
}
