package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/internal/fwtest"
)

// Worlds in which a test that needs something should fail. A world that has the
// name of a block is a board whose block alone is plain memory; only the tests
// that use the block run there.
const (
	nullMachine = "null"     // every block is plain memory
	noDevices   = "devices"  // all are but those that every program needs to start
	noJumper    = "jumper"   // GPIO2 and GPIO3 are not joined
	noSensor    = "sensor"   // nothing is attached to GPIO4 and GPIO5
	notFed      = "watchdog" // feeding a watchdog has no effect
)

var brokenWorlds = []string{nullMachine, noDevices, noJumper, noSensor, notFed}

// oneBlock stands for the worlds that have the names of blocks.
const oneBlock = "blocks"

// started are the blocks without which no test gets as far as its own code: on a
// null machine, esp-hal waits for the calibration of a clock.
var started = []string{"INTERRUPT_CORE0", "SYSTEM", "SYSTIMER", "TIMG0", "RTC_CNTL", "EFUSE", "EXTMEM", "MMU_TABLE"}

// patience is the guest time that a test has in a broken world beyond ten times
// what it took to pass: then it waits for what will not come.
const patience = 50 * time.Millisecond

// breakWorlds runs the tests of rep that pass in each world.
func (o *options) breakWorlds(ctx context.Context, p fwtest.Program, rep *report) error {
	rep.worlds = map[string]map[string]bool{}
	timeouts := map[string]time.Duration{}
	for _, res := range rep.results {
		if res.Outcome == fwtest.Passed {
			timeouts[res.Test.Name] = min(res.Test.Timeout, 10*res.Elapsed+patience)
		}
	}
	run := func(world string, r *runner, match func(test string) bool) error {
		if !slices.Contains(o.worlds, world) && (slices.Contains(brokenWorlds, world) || !slices.Contains(o.worlds, oneBlock)) {
			return nil
		}
		results, err := r.run(ctx, func(j fwtest.Job) bool { return timeouts[j.Test.Name] > 0 && match(j.Test.Name) }, timeouts)
		if err != nil {
			return fmt.Errorf("world %s: %w", world, err)
		}
		passes := map[string]bool{}
		for _, res := range results {
			passes[res.Test.Name] = res.Outcome == fwtest.Passed
			if o.verbose && res.Outcome == fwtest.Passed {
				fmt.Printf("%s/%s ... passes in world %q, too\n", rep.name, res.Test.Name, world)
			}
		}
		rep.worlds[world] = passes
		return nil
	}
	users, err := o.users(ctx, p, func(test string) bool { return timeouts[test] > 0 })
	if err != nil {
		return err
	}
	var devices []string
	for block := range users {
		if !slices.Contains(started, block) {
			devices = append(devices, block)
		}
	}
	every := func(string) bool { return true }
	for world, r := range map[string]*runner{
		nullMachine: o.runner(p, true, true, []string{"all"}),
		noDevices:   o.runner(p, true, true, devices),
		noJumper:    o.runner(p, false, true, nil),
		noSensor:    o.runner(p, true, false, nil),
		notFed:      o.runner(p, true, true, []string{"TIMG0.WDTFEED", "TIMG1.WDTFEED", "RTC_CNTL.WDTFEED"}),
	} {
		if err := run(world, r, every); err != nil {
			return err
		}
	}
	for block, tests := range users {
		if err := run(block, o.runner(p, true, true, []string{block}), func(test string) bool { return tests[test] }); err != nil {
			return err
		}
	}
	return nil
}

// users returns the tests that use each block.
func (o *options) users(ctx context.Context, p fwtest.Program, match func(test string) bool) (map[string]map[string]bool, error) {
	var used []func() []string // of each test in order: there is one worker
	r := o.runner(p, true, true, nil)
	r.Prepare = func(b *emu.Board) error {
		f, err := b.Track()
		used = append(used, f)
		return err
	}
	results, err := r.run(ctx, func(j fwtest.Job) bool { return match(j.Test.Name) }, nil)
	users := map[string]map[string]bool{}
	for i, res := range results {
		for _, block := range used[i]() {
			if users[block] == nil {
				users[block] = map[string]bool{}
			}
			users[block][res.Test.Name] = true
		}
	}
	return users, err
}

// worldTable lists, for each program and each block, how many tests pass and how
// many of these fail in each world, as lines of fields separated by tabs.
func worldTable(reports []report) string {
	var b strings.Builder
	type count struct{ tests, fail int }
	blocks := map[string]count{}
	b.WriteString("# Written by internal/devtest/hil -worlds -table. Tests of esp-hal for the ESP32-C3 that pass, and\n" +
		"# how many of them fail in a world where they should; see internal/devtest/hil/worlds.go.\n" +
		"# program\ttests\tpass\t" + strings.Join(brokenWorlds, "\t") + "\n# block\ttests that use it\tfail when it is plain memory\n")
	for _, r := range reports {
		pass := 0
		for _, res := range r.results {
			if res.Outcome == fwtest.Passed {
				pass++
			}
		}
		fmt.Fprintf(&b, "program\t%s\t%d\t%d", r.name, len(r.results), pass)
		for _, world := range brokenWorlds {
			if r.worlds[world] == nil {
				b.WriteString("\t-")
				continue
			}
			fail := 0
			for _, passes := range r.worlds[world] {
				if !passes {
					fail++
				}
			}
			fmt.Fprintf(&b, "\t%d", fail)
		}
		b.WriteByte('\n')
		for world, tests := range r.worlds {
			if slices.Contains(brokenWorlds, world) {
				continue
			}
			n := blocks[world]
			for _, passes := range tests {
				n.tests++
				if !passes {
					n.fail++
				}
			}
			blocks[world] = n
		}
	}
	var names []string
	for name := range blocks {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "block\t%s\t%d\t%d\n", name, blocks[name].tests, blocks[name].fail)
	}
	return b.String()
}
