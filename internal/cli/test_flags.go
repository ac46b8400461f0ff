package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/fwtest"
	"espalier.dev/espalier/internal/libtest"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/scenario"
	"espalier.dev/espalier/internal/session"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/monitor"
)

type testOptions struct {
	work      workOptions
	emulation emulationOptions
	port      portOptions
	selection build.TestSelection
	libtest   libtest.Flags
	runner    fwtest.Runner
	args      []string // after --

	partition   string
	expect      []string
	rules       []monitor.Rule
	project     *project.Project // whose board the tests have
	scenario    *scenario.Scenario
	noRun       bool
	failedFirst bool
	junit       string
	slow        time.Duration
}

func (o *testOptions) addFlags(f *pflag.FlagSet) {
	o.work.addFlags(f)
	f.StringArrayVar(&o.selection.Tests, "test", nil, "build the test target `NAME`; repeated: all of them")
	f.BoolVar(&o.selection.Lib, "lib", false, "build the tests of the library")
	f.BoolVar(&o.noRun, "no-run", false, "build the tests, and print the paths of their ELFs")
	f.StringVar(&o.junit, "junit", "", "write a JUnit report to `FILE`")
	f.StringVar(&o.partition, "partition", "", "run one part of the tests: `PART` is 1/3, count:1/3 or hash:1/3")
	f.IntVar(&o.runner.Retries, "retries", 0, "repeat a test that fails up to `N` times, with the next seeds")
	f.BoolVar(&o.runner.FailFast, "fail-fast", false, "stop after the first test that fails")
	f.BoolVar(&o.failedFirst, "failed-first", false, "run the tests first that failed in the last run")
	f.BoolVar(&o.runner.Fresh, "fresh", false, "boot each test from power-on, instead of sharing the boot by a snapshot")
	f.StringArrayVar(&o.expect, "expect", nil, "a program that is one test passes when it prints `TEXT`, or a line that matches /regex/")
	command.DurationVar(f, &o.runner.Limit, "timeout", "give each test `TIME` of guest time, instead of its own limit")
	command.DurationVar(f, &o.slow, "slow", "note tests that take longer than `TIME` of guest time (default 5s)")
	o.libtest.Add(f)
	f.BoolVar(&o.runner.VCD, "vcd", false, "write the levels of the pins during each test to PROGRAM/TEST/pins.vcd in the folder of --artifacts")
	f.StringVar(&o.runner.Artifacts, "artifacts", "target/espalier/tests", "keep screenshots and --vcd of tests below `DIR`")
	for _, name := range []string{"strict", "usb", "net", "serve", "host", "fault", "seed", "board", "chip-revision", "scenario", "semihosting-files"} {
		f.AddFlag(o.emulation.flags().Lookup(name))
	}
	f.StringVar(&o.port.Port, "port", "", "run programs that are one test on the board at `PORT`, one after the other")
}

// check checks what needs no project.
func (o *testOptions) check(cmd *cobra.Command) (err error) {
	if err := o.libtest.Check(); err != nil {
		return err
	}
	if o.partition != "" {
		if o.libtest.Filter.Partition, err = fwtest.ParsePartition(o.partition); err != nil {
			return fault.Wrap(fault.Usage, err, "--partition")
		}
	}
	if o.rules, err = monitor.ParseRules(o.expect); err != nil {
		return err
	}
	if o.runner.Retries < 0 || o.runner.Retries > 1000 {
		return fault.Wrap(fault.Usage, errors.New("want a number from 0 to 1000"), fmt.Sprintf("--retries %d", o.runner.Retries))
	}
	o.runner.Workers = o.libtest.Workers
	if !cmd.Flags().Changed("slow") {
		o.slow = 5 * time.Second
	}
	if o.runner.VCD && o.port.Port != "" {
		return fault.New(fault.Usage, "--vcd: only the emulated board has it", "leave out --port to run on emulated boards")
	}
	return session.CheckCreate(o.junit)
}

// onBoard reads the scenario for the project's board.
func (o *testOptions) onBoard(p *project.Project) (err error) {
	o.project = p
	o.scenario, err = o.emulation.ReadScenario(p)
	return err
}

// environment is the surroundings of each board. p may be nil.
func (o *testOptions) environment(cmd *cobra.Command, p *project.Project) (*session.Environment, error) {
	return o.emulation.Environment(cmd.Flags().Changed, p)
}

// program is a test program; selects are the arguments that choose it again.
func (o *testOptions) program(name string, elf, flash, rom []byte, selects []string) *fwtest.Program {
	seed := ""
	if o.emulation.Seed != 1 {
		seed = fmt.Sprintf(" --seed %d", o.emulation.Seed)
	}
	return &fwtest.Program{Name: name, ELF: elf, Flash: flash, ROM: rom, Expect: o.rules, Board: o.project.Espalier.Board, Scenario: o.scenario, Repeat: func(test string) string {
		command := "espalier test " + strings.Join(selects, " ") + seed
		if test != name {
			command += " --exact --include-ignored '" + strings.ReplaceAll(test, "'", `'\''`) + "'"
		}
		return command
	}}
}

// printer shows results; with --json they are events.
func (o *testOptions) printer(a *app) *fwtest.Printer {
	p := &fwtest.Printer{W: a.ui.Writer(ui.Stdout), Format: o.libtest.Format, NoCapture: o.libtest.NoCapture, Slow: o.slow}
	if a.ui.JSON() {
		p.W = io.Discard
	}
	p.Paint = func(r fwtest.Outcome) string { return a.ui.Paint(ui.Stdout, outcomeStyle(r), r.String()) }
	return p
}

// outcomeStyle is the colour of a verdict.
func outcomeStyle(r fwtest.Outcome) ui.Style {
	return map[fwtest.Outcome]ui.Style{fwtest.Passed: ui.Green, fwtest.Failed: ui.Red, fwtest.Ignored: ui.Yellow}[r]
}
