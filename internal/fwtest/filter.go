package fwtest

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"espalier.dev/espalier/internal/order"
)

// Filter selects tests, as the arguments of cargo test do.
type Filter struct {
	Names     []string // a test matches when its name contains one of them; none: all
	Exact     bool     // names are whole names
	Skip      []string // a test whose name contains one of them is left out
	Ignored   bool     // only tests that are marked as ignored, which run
	Included  bool     // those run, too
	Partition Partition
	First     []string // "program test": these run first
}

// Match reports whether the filter selects a test by its name.
func (f Filter) Match(name string) bool {
	matches := func(pattern string) bool {
		if f.Exact {
			return name == pattern
		}
		return strings.Contains(name, pattern)
	}
	return (len(f.Names) == 0 || slices.ContainsFunc(f.Names, matches)) && !slices.ContainsFunc(f.Skip, matches)
}

// Select returns the tests that are selected, in the order in which they run, and
// how many are not. A test that is selected but ignored is in the list with
// Ignored set.
func (f Filter) Select(programs []*Program) (jobs []Job, left int) {
	for _, p := range programs {
		for _, t := range p.Tests {
			if !f.Match(t.Name) || f.Ignored && !t.Ignored {
				left++
				continue
			}
			t.Ignored = t.Ignored && !f.Ignored && !f.Included
			jobs = append(jobs, Job{p, t})
		}
	}
	kept := jobs[:0:0]
	for i, j := range jobs {
		if f.Partition.has(i, ID(j.Program, j.Test)) {
			kept = append(kept, j)
		}
	}
	left += len(jobs) - len(kept)
	if len(f.First) > 0 {
		first := map[string]bool{}
		for _, id := range f.First {
			first[id] = true
		}
		order.Sort(kept, func(a, b Job) int {
			return rank(first[ID(a.Program, a.Test)]) - rank(first[ID(b.Program, b.Test)])
		})
	}
	return kept, left
}

func rank(first bool) int {
	if first {
		return 0
	}
	return 1
}

// ID names a test among all programs.
func ID(p *Program, t Test) string {
	if p.kind == whole && t.Name == p.Name {
		return p.Name
	}
	return p.Name + " " + t.Name
}

// Partition is one of several parts of the tests; the zero value is all.
type Partition struct {
	hash     bool
	part, of int // from 1
}

// ParsePartition reads count:M/N (every N-th test), hash:M/N (by the hash of the
// name, so that a new test moves no other) or M/N, which is count.
func ParsePartition(text string) (Partition, error) {
	how, rest, found := strings.Cut(text, ":")
	if !found {
		how, rest = "count", text
	}
	m, n, ok := strings.Cut(rest, "/")
	part, err := strconv.Atoi(m)
	of, err2 := strconv.Atoi(n)
	p := Partition{hash: how == "hash", part: part, of: of}
	if !ok || err != nil || err2 != nil || part < 1 || of < part || how != "hash" && how != "count" {
		return p, fmt.Errorf("%q is not a part, such as 1/3, count:1/3 or hash:1/3", text)
	}
	return p, nil
}

func (p Partition) has(index int, id string) bool {
	if p.of == 0 {
		return true
	}
	if p.hash {
		h := fnv.New64a()
		h.Write([]byte(id))
		return int(h.Sum64()%uint64(p.of)) == p.part-1
	}
	return index%p.of == p.part-1
}

// Format is how results are printed.
type Format uint8

// Formats, as of cargo test.
const (
	Pretty Format = iota // a line for each test
	Terse                // a character for each test
	JSON                 // libtest's events, a line each
)

// ParseFormat reads the name of a format.
func ParseFormat(name string) (Format, error) {
	switch name {
	case "", "pretty":
		return Pretty, nil
	case "terse":
		return Terse, nil
	case "json":
		return JSON, nil
	}
	return 0, errors.New(strconv.Quote(name) + " is not a format: pretty, terse or json")
}
