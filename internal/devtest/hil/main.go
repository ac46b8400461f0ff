// Command hil runs programs that were built with the embedded-test crate on
// emulated boards and counts what passes: esp-hal's hardware tests are such
// programs.
//
//	go run ./internal/devtest/hil -rom ROM.elf -bootloader BOOT.bin [-j 2] [-run REGEXP] [-v] ELF...
//
// With -inert the named blocks are plain memory while a test runs: a test that
// passes there shows nothing about the block. With -worlds each test that passes
// runs again in worlds in which it should not (worlds.go), and -table writes
// what that shows as a table.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/parts"
	"espalier.dev/espalier/emu/testbed"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/fwtest"
	"espalier.dev/espalier/rv32"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "hil:", err)
		os.Exit(1)
	}
}

type options struct {
	rom, bootloader []byte
	match           *regexp.Regexp
	verbose         bool
	inert           []string
	engine          rv32.Engine
	jumper, sensor  bool
	fresh           bool
	worlds          []string
}

func run() error {
	rom := flag.String("rom", "", "mask ROM")
	bootloader := flag.String("bootloader", "", "second-stage bootloader")
	match := flag.String("run", "", "only tests whose artifact/name matches this expression")
	jobs := flag.Int("j", runtime.NumCPU(), "programs at a time")
	verbose := flag.Bool("v", false, "print every test and what it wrote")
	inert := flag.String("inert", "", "blocks that are plain memory while a test runs, separated by commas")
	reference := flag.Bool("reference", false, "use the reference engine")
	fresh := flag.Bool("fresh", false, "boot a board for each test")
	open := flag.Bool("no-jumper", false, "do not join GPIO2 and GPIO3, as the tests need it")
	bare := flag.Bool("no-sensor", false, "do not attach the BMP180 that the tests need on GPIO4 and GPIO5")
	worlds := flag.String("worlds", "", "run each test that passes again in these worlds, separated by commas: "+strings.Join(brokenWorlds, ", ")+", blocks")
	table := flag.String("table", "", "with -worlds: write the table of docs/chip.md to this file")
	limit := flag.Duration("timeout", 20*time.Minute, "of wall time")
	flag.Parse()
	var o options
	var err error
	if o.rom, err = os.ReadFile(*rom); err != nil {
		return err
	}
	if o.bootloader, err = os.ReadFile(*bootloader); err != nil {
		return err
	}
	if o.match, err = regexp.Compile(*match); err != nil {
		return err
	}
	if *worlds != "" {
		o.worlds = strings.Split(*worlds, ",")
	}
	if *inert != "" {
		o.inert = strings.Split(*inert, ",")
	}
	if *reference {
		o.engine = rv32.EngineReference
	}
	o.verbose, o.fresh, o.jumper, o.sensor = *verbose, *fresh, !*open, !*bare
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	reports := make([]report, flag.NArg())
	slots := make(chan bool, max(1, *jobs))
	var wg sync.WaitGroup
	for i, path := range flag.Args() {
		wg.Go(func() {
			slots <- true
			defer func() { <-slots }()
			reports[i] = o.program(ctx, path)
		})
	}
	wg.Wait()
	summary(reports)
	if *table == "" {
		return nil
	}
	return os.WriteFile(*table, []byte(worldTable(reports)), 0o666)
}

// report is what became of one program.
type report struct {
	name    string
	results []fwtest.Result
	worlds  map[string]map[string]bool // world, test: it passes there, too
	err     error
	wall    time.Duration
}

func (o *options) program(ctx context.Context, path string) (rep report) {
	rep.name = filepath.Base(path)
	start := time.Now()
	defer func() { rep.wall = time.Since(start) }()
	file, err := os.ReadFile(path)
	if err != nil {
		rep.err = err
		return rep
	}
	flash, err := image.FromELF(file, image.Inputs{Bootloader: o.bootloader})
	if err != nil {
		rep.err = err
		return rep
	}
	w := o.runner(fwtest.Program{Name: rep.name, ELF: file, Flash: flash.Merged(), ROM: o.rom}, o.jumper, o.sensor, o.inert)
	all := func(j fwtest.Job) bool { return o.match.MatchString(rep.name + "/" + j.Test.Name) }
	rep.results, rep.err = w.run(ctx, all, nil)
	if o.verbose {
		rep.print()
	}
	if len(o.worlds) > 0 && rep.err == nil {
		rep.err = o.breakWorlds(ctx, w.program, &rep)
	}
	return rep
}

// runner runs the tests of a program on a board with or without what they need on
// its pins, some of whose blocks may be inert.
type runner struct {
	fwtest.Runner
	program fwtest.Program
}

func (o *options) runner(p fwtest.Program, jumped, sensor bool, inert []string) *runner {
	r := &runner{program: p}
	r.Fresh = o.fresh
	r.Bed = func() (testbed.Config, error) {
		cfg := testbed.Config{Network: testbed.None, Board: emu.Config{Engine: o.engine}}
		if jumped {
			cfg.Parts = append(cfg.Parts, jumper{2, 3})
		}
		if sensor {
			cfg.Parts = append(cfg.Parts, &parts.BMP180{SDA: 4, SCL: 5, Celsius: 20, Pascals: 101_325})
		}
		return cfg, nil
	}
	if len(inert) > 0 {
		r.Prepare = func(b *emu.Board) error { return b.Inert(inert...) }
	}
	return r
}

// run runs the tests that match, in order. Their timeouts may be others, by name.
func (r *runner) run(ctx context.Context, match func(fwtest.Job) bool, timeouts map[string]time.Duration) (results []fwtest.Result, err error) {
	p := r.program
	if err := r.Load(ctx, &p); err != nil {
		return nil, err
	}
	jobs, _ := fwtest.Filter{}.Select([]*fwtest.Program{&p})
	jobs = slices.DeleteFunc(jobs, func(j fwtest.Job) bool { return !match(j) })
	for i := range jobs {
		if t, ok := timeouts[jobs[i].Test.Name]; ok {
			jobs[i].Test.Timeout = t
		}
	}
	err = r.Run(ctx, jobs, func(res fwtest.Result) { results = append(results, res) })
	return results, err
}

// jumper joins two pins.
type jumper struct{ a, b int }

// Attach implements emu.Part.
func (j jumper) Attach(b *emu.Board) error {
	b.Join(j.a, j.b)
	return nil
}

func (r *report) print() {
	for _, res := range r.results {
		fmt.Printf("%s/%s ... %v (%s)", r.name, res.Test.Name, res.Outcome, res.Elapsed)
		if res.Outcome == fwtest.Failed {
			fmt.Printf(" %s: %s", res.Message, strings.Join(res.Output, " "))
		}
		fmt.Println()
	}
}

func summary(reports []report) {
	passed, total := 0, 0
	for _, r := range reports {
		n := 0
		for _, res := range r.results {
			if res.Outcome == fwtest.Passed {
				n++
			}
		}
		passed, total = passed+n, total+len(r.results)
		fmt.Printf("%-28s %3d/%-3d %6.1fs", r.name, n, len(r.results), r.wall.Seconds())
		if r.err != nil {
			fmt.Printf("  %v", r.err)
		}
		fmt.Println()
	}
	fmt.Printf("%-28s %3d/%-3d\n", "total", passed, total)
}
