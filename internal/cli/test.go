package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/emu/testbed"
	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/fwtest"
	"espalier.dev/espalier/internal/probe"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/scenario"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/internal/workspace"
)

func newTest(a *app) *cobra.Command {
	var o testOptions
	cmd := &cobra.Command{
		Use:   "test [FILTER | FILE]...",
		Short: "build the project's tests for the chip and run them, each on an emulated board",
		Long: `Build the test targets of the project that have a harness of their own (harness = false) and run them on emulated
boards: each test of embedded-test on a board of its own, any other program as one test, which passes by a semihosting
exit with status 0 and fails by a panic, another status, a reset or a timeout. Times are guest time. With FILE, ELFs are
run as they are and nothing is built.

Filters and the flags after -- are those of cargo test. Only the output of tests that fail is shown, with a backtrace
and the command that repeats it. As a runner (runner = "espalier run") espalier does the same under cargo test and
cargo nextest.

With --port each program is written to that board and passes with the text of --expect, or with the last line of
defmt-test: a semihosting exit needs a debug probe. docs/testing.md has the details.` +
			command.Exits(fault.Program, fault.Build, fault.Port, fault.Chip, fault.Pins, fault.Sandbox),
		Example: `  espalier test
  espalier test sensor --test hardware
  espalier test --junit report.xml --partition 1/3
  espalier test target/riscv32imc-unknown-none-elf/release/deps/suite-0f1e2d3c4b5a6978 -- --list`,
		Args: cobra.ArbitraryArgs, // filters
		RunE: func(cmd *cobra.Command, names []string) error { return runTest(cmd, a, o, names) },
	}
	o.addFlags(cmd.Flags())
	return cmd
}

// runTest splits the arguments into files, filters and what comes after --.
func runTest(cmd *cobra.Command, a *app, o testOptions, names []string) error {
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		more, err := o.libtest.Parse(cmd, names[dash:])
		if err != nil {
			return err
		}
		names, o.args = append(names[:dash:dash], more...), names[dash:]
	}
	var files []string
	for _, n := range names {
		if st, err := os.Stat(n); err == nil && st.Mode().IsRegular() {
			files = append(files, n)
		} else {
			o.libtest.Filter.Names = append(o.libtest.Filter.Names, n)
		}
	}
	if err := o.check(cmd); err != nil {
		return err
	}
	if len(files) > 0 {
		return testFiles(cmd, a, o, files)
	}
	return testProject(cmd, a, o)
}

func testFiles(cmd *cobra.Command, a *app, o testOptions, files []string) error {
	p, err := a.settings(project.Flags{Board: o.emulation.Board, ChipRevision: o.emulation.Revision})
	if err != nil {
		return err
	}
	if err := o.onBoard(p); err != nil {
		return err
	}
	var programs []*fwtest.Program
	for _, name := range files {
		e, err := a.loadFile(cmd.Context(), p, name, chipOptions{})
		if err != nil {
			return err
		}
		if e.ELF == nil {
			return fault.New(fault.Usage, name+": tests are read from an ELF", "espalier test FILE.elf")
		}
		programs = append(programs, o.program(fwtest.ProgramName(name), e.ELF, e.Flash, e.ROM, []string{name}))
	}
	if o.port.Port != "" {
		return fault.New(fault.Usage, "--port runs the tests of a project", "espalier run FILE --port "+o.port.Port)
	}
	return o.run(cmd, a, p, programs, "")
}

func testProject(cmd *cobra.Command, a *app, o testOptions) error {
	ctx := cmd.Context()
	o.work.forRun(o.port.Port == "")
	o.work.Flags.Board, o.work.Flags.ChipRevision = o.emulation.Board, o.emulation.Revision
	w, err := a.open(ctx, o.work)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := o.onBoard(w.Project); err != nil {
		return err
	}
	o.selection.Bin, o.selection.Example = o.work.Flags.Bin, o.work.Flags.Example
	targets, err := build.TestTargets(w.Project, o.selection)
	if err != nil {
		return err
	}
	if others := build.HostTests(w.Project); len(others) > 0 && !o.libtest.List {
		a.ui.Note("tests of %s run on this machine: cargo test -p %s", strings.Join(others, ", "), others[0])
	}
	if _, err := o.environment(cmd, w.Project); err != nil {
		return err
	}
	built, err := w.BuildTests(ctx, targets)
	if err != nil {
		return err
	}
	var programs []*fwtest.Program
	for _, b := range built {
		flash, _, err := emulatedFlash(ctx, w, b.Flash, "")
		if err != nil {
			return err
		}
		p := o.program(b.Name, b.ELF, flash, b.ROM, b.Select)
		if p.Scenario == nil {
			if p.Scenario, err = scenario.Beside(b.Source, w.Project.Espalier.Board); err != nil {
				return fault.Wrap(fault.Usage, err, "")
			}
		}
		programs = append(programs, p)
	}
	switch {
	case o.noRun:
		return deliverTests(a.ui, programs, w)
	case o.port.Port != "":
		return testOnPort(ctx, a, w, o, programs, built)
	}
	return o.run(cmd, a, w.Project, programs, filepath.Join(w.OutDir(), "last-failures.json"))
}

// deliverTests writes the ELFs of --no-run and prints their paths.
func deliverTests(out *ui.UI, programs []*fwtest.Program, w *workspace.Workspace) error {
	dir, mode, err := w.ResultDir(filepath.Join(w.OutDir(), "tests"))
	if err != nil {
		return fault.Wrap(fault.Usage, err, "writing the tests")
	}
	for _, p := range programs {
		name := filepath.Join(dir, p.Name+".elf")
		if err := atomicfile.WriteChanged(name, p.ELF, mode); err != nil {
			return fault.Wrap(fault.Usage, err, "writing the tests")
		}
		out.Printf("%s", name)
		out.Event("test-program", fwtest.ProgramEvent{Program: p.Name, ELF: name})
	}
	return nil
}

// run runs programs on emulated boards. p may be nil.
func (o *testOptions) run(cmd *cobra.Command, a *app, p *project.Project, programs []*fwtest.Program, history string) error {
	env, err := o.environment(cmd, p)
	if err != nil {
		return err
	}
	bed := env.Testbed(nil)
	if dir := env.Serve(); dir != "" {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return fault.Wrap(fault.Usage, err, "--serve")
		}
		defer root.Close()
		bed.Files = root.FS()
	}
	if dir := o.emulation.Files; dir != "" {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return fault.Wrap(fault.Usage, err, "--semihosting-files")
		}
		defer root.Close()
		o.runner.Files = probe.Dir{Root: root}
	}
	bed.Board.Strict, bed.Board.USBHost = o.emulation.Strict, o.emulation.USB
	if p != nil {
		bed.Board.Revision = p.Espalier.Board.ChipRevision()
	}
	o.runner.Bed = func() (testbed.Config, error) { return bed, nil }
	o.runner.Seed, o.runner.Args = bed.Board.Seed, strings.Join(o.args, " ")
	s := fwtest.Suite{
		Runner: &o.runner, Filter: o.libtest.Filter, Printer: o.printer(a), List: o.libtest.List, JUnit: o.junit, History: history, Retry: o.failedFirst,
		Now: time.Now,
		Title: func(p *fwtest.Program) {
			if o.libtest.Format == fwtest.Pretty && !a.ui.JSON() {
				a.ui.Note("running %s", p.Name)
			}
		},
		Each:  func(r fwtest.Result) { a.ui.Event("test", fwtest.NewEvent(r)) },
		Ended: func(p *fwtest.Program, sum fwtest.Summary) { a.ui.Event("test-result", fwtest.NewResultEvent(p, sum)) },
	}
	sum, err := s.Run(cmd.Context(), programs)
	if err != nil {
		return err
	}
	if v, _ := a.lookup("GITHUB_ACTIONS"); v == "true" {
		io.WriteString(a.ui.Writer(ui.Stderr), fwtest.GitHub(sum.Results))
	}
	if n := sum.Failed; n > 0 {
		return fault.New(fault.Program, fmt.Sprintf("%d of %d tests failed", n, n+sum.Passed))
	}
	return nil
}
