package fwtest

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/order"
)

// Suite runs programs as cargo test runs test targets: those of one program
// together, with a summary for each.
type Suite struct {
	Runner  *Runner
	Filter  Filter
	Printer *Printer
	List    bool   // only list the tests
	JUnit   string // file of the report; "": none
	History string // file with the failures of the last run; "": none
	Retry   bool   // the tests that failed in the last run are the first

	Title func(p *Program)            // before the tests of a program
	Each  func(r Result)              // each result
	Now   func() time.Time            // the host's clock, for the summary
	Ended func(p *Program, s Summary) // after them
}

// Run loads and runs programs. The summary is of all. Errors are those of loading,
// of a board, of writing a report, and of ctx.
func (s *Suite) Run(ctx context.Context, programs []*Program) (Summary, error) {
	var all Summary
	for _, p := range programs {
		if err := s.Runner.Load(ctx, p); err != nil {
			return all, err
		}
	}
	if s.Retry {
		s.Filter.First = readHistory(s.History)
	}
	jobs, left := s.Filter.Select(programs)
	if s.List {
		s.Printer.List(jobs)
		return all, nil
	}
	all.Filtered = left
	jobs, blocks := byProgram(jobs, programs)
	begin := s.Now()
	open := -1
	var part Summary
	end := func() {
		if open >= 0 {
			part.Wall = s.Now().Sub(begin)
			s.Printer.End(part)
			s.Ended(blocks[open].program, part)
		}
	}
	start := func() {
		end()
		open++
		part, begin = Summary{Filtered: len(blocks[open].program.Tests) - blocks[open].tests}, s.Now()
		s.Title(blocks[open].program)
		s.Printer.Start(blocks[open].tests)
	}
	err := s.Runner.Run(ctx, jobs, func(r Result) {
		for open < 0 || blocks[open].program != r.Program {
			start()
		}
		part.Add(r)
		all.Add(r)
		s.Printer.Result(r)
		s.Each(r)
	})
	if err != nil {
		return all, err
	}
	if all.Failed == 0 || !s.Runner.FailFast {
		for open < len(blocks)-1 {
			start() // programs without a selected test
		}
	}
	end()
	all.Wall = part.Wall
	return all, s.keep(all)
}

// block is one program with the number of its selected tests.
type block struct {
	program *Program
	tests   int
}

// byProgram sorts jobs by program, in the order of the first job of each. Programs
// without one are the last.
func byProgram(jobs []Job, programs []*Program) ([]Job, []block) {
	var blocks []block
	at := map[*Program]int{}
	for _, j := range jobs {
		if _, ok := at[j.Program]; !ok {
			at[j.Program] = len(blocks)
			blocks = append(blocks, block{program: j.Program})
		}
		blocks[at[j.Program]].tests++
	}
	order.Sort(jobs, func(a, b Job) int { return at[a.Program] - at[b.Program] })
	for _, p := range programs {
		if _, ok := at[p]; !ok {
			blocks = append(blocks, block{program: p})
		}
	}
	return jobs, blocks
}

// keep writes the report and the failures.
func (s *Suite) keep(all Summary) error {
	if s.JUnit != "" {
		if err := atomicfile.Write(s.JUnit, JUnit(all.Results), 0o666); err != nil {
			return err
		}
	}
	if s.History == "" {
		return nil
	}
	failed := []string{}
	for _, r := range all.Failures() {
		failed = append(failed, ID(r.Program, r.Test))
	}
	b, err := json.Marshal(failed)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.History), 0o777); err != nil {
		return err
	}
	return atomicfile.Write(s.History, append(b, '\n'), 0o666)
}

// readHistory returns the failures of the last run. A file that cannot be read is
// no history.
func readHistory(name string) (failed []string) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) || err != nil || len(b) > 1<<20 || json.Unmarshal(b, &failed) != nil {
		return nil
	}
	return failed
}
