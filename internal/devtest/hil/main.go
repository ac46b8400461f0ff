// Command hil runs programs that were built with the embedded-test crate on
// emulated boards and counts what passes: esp-hal's hardware tests are such
// programs.
//
//	go run ./internal/devtest/hil -rom ROM.elf -bootloader BOOT.bin [-j 2] [-run REGEXP] [-v] ELF...
//
// With -inert each test also runs on a board whose named blocks are plain
// memory: a test that passes there shows nothing about the block.
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
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/emu/parts"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/embedtest"
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
	return summary(reports)
}

// report is what became of one program.
type report struct {
	name    string
	results []embedtest.Result
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
	tests, err := embedtest.List(file)
	if err != nil {
		rep.err = err
		return rep
	}
	tests = slices.DeleteFunc(tests, func(t embedtest.Test) bool { return !o.match.MatchString(rep.name + "/" + t.Name) })
	flash, err := image.FromELF(file, image.Inputs{Bootloader: o.bootloader})
	if err != nil {
		rep.err = err
		return rep
	}
	r := embedtest.Runner{Fresh: o.fresh, Board: func(output func(emu.Output)) (*emu.Board, error) {
		b, err := c3.New(emu.Config{ROM: o.rom, Flash: flash.Merged(), Engine: o.engine, Output: output})
		if err == nil && o.jumper {
			b.Join(2, 3)
		}
		if err == nil && o.sensor {
			sensor := parts.BMP180{SDA: 4, SCL: 5, Celsius: 20, Pascals: 101_325}
			err = sensor.Attach(b)
		}
		return b, err
	}}
	if len(o.inert) > 0 {
		r.Prepare = func(b *emu.Board) error { return b.Inert(o.inert...) }
	}
	rep.err = r.Run(ctx, tests, func(res embedtest.Result) { rep.results = append(rep.results, res) })
	if o.verbose {
		rep.print()
	}
	return rep
}

func (r *report) print() {
	for _, res := range r.results {
		fmt.Printf("%s/%s ... %v (%s)", r.name, res.Test.Name, res.Outcome, res.Elapsed)
		if res.Outcome == embedtest.Failed {
			fmt.Printf(" %s: %s", res.Message, strings.Join(strings.Fields(res.Text), " "))
		}
		fmt.Println()
	}
}

func summary(reports []report) error {
	passed, total := 0, 0
	for _, r := range reports {
		n := 0
		for _, res := range r.results {
			if res.Outcome == embedtest.Passed {
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
	return nil
}
