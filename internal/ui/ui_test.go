package ui

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/progress"
)

// streams is a UI without a terminal and a clock that a test moves.
type streams struct {
	*UI
	out, err bytes.Buffer
	now      time.Time
}

func newStreams(opt Options) *streams {
	s := &streams{now: time.Unix(0, 0)}
	opt.Stdout, opt.Stderr = &s.out, &s.err
	opt.Now = func() time.Time { return s.now }
	s.UI = New(opt)
	return s
}

func TestPlainProgress(t *testing.T) {
	s := newStreams(Options{})
	a := s.Start("fetch", progress.Bytes, 1<<20)
	a.Add(1 << 20)
	s.now = s.now.Add(4100 * time.Millisecond)
	a.Done(nil)
	b := s.Start("unpack", progress.Packages, 1)
	b.Add(1)
	b.Done(nil)
	c := s.Start("build", progress.Crates, 0)
	c.Detail("dependency layer")
	s.now = s.now.Add(200 * time.Second)
	c.Done(nil)
	s.Start("app", progress.Crates, 0).Done(errors.New("no"))
	s.Start("link", progress.Steps, 0).Done(fmt.Errorf("linking: %w", context.Canceled))
	s.Start("check", progress.Files, 0).Done(nil)
	want := "fetch: 1.0 MiB (4.1 s)\nunpack: 1 package\nbuild: dependency layer (3 min 20 s)\napp: failed\nlink: interrupted\ncheck\n"
	if got := s.err.String(); got != want {
		t.Errorf("stderr:\n%s\nwant:\n%s", got, want)
	}
	if s.out.Len() > 0 {
		t.Errorf("stdout: %q", s.out.String())
	}
}

// TestLongPhase: a log gets a line a minute, with the total and the estimate.
func TestLongPhase(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		s := newStreams(Options{Quiet: quiet})
		a := s.Start("compiling dependencies", progress.Crates, 0)
		for i := range 150 {
			if i == 30 {
				a.SetTotal(186)
			}
			s.now = s.now.Add(time.Second)
			a.Add(1)
			a.Item("core")
		}
		a.Done(nil)
		want := "compiling dependencies: 60 of 186 crates, 2 min left (60.0 s)\ncompiling dependencies: 120 of 186 crates, 66 s left (2 min 0 s)\ncompiling dependencies: 150 crates (2 min 30 s)\n"
		if quiet {
			want = ""
		}
		if got := s.err.String(); got != want {
			t.Errorf("quiet %v:\n%s\nwant:\n%s", quiet, got, want)
		}
	}
}

func TestRemaining(t *testing.T) {
	for d, want := range map[time.Duration]string{400 * time.Millisecond: "0 s", 99 * time.Second: "99 s", 731 * time.Second: "12 min", 3 * time.Hour: "3 h"} {
		if got := remaining(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestQuiet(t *testing.T) {
	s := newStreams(Options{Quiet: true})
	s.Note("note")
	s.Start("fetch", progress.Bytes, 1).Done(nil)
	s.Printf("data")
	s.Error(fault.New(fault.Usage, "no", "do this"))
	if s.out.String() != "data\n" || s.err.String() != "espalier: no\nhint: do this\n" {
		t.Errorf("stdout %q, stderr %q", s.out.String(), s.err.String())
	}
}

func TestVerbose(t *testing.T) {
	for _, verbose := range []bool{false, true} {
		s := newStreams(Options{Verbose: verbose})
		s.Debugf("detail")
		s.Start("fetch", progress.Bytes, 1).Item("a.deb")
		if got := s.err.String() == "detail\nfetch: a.deb\n"; got != verbose {
			t.Errorf("-v=%v: %q", verbose, s.err.String())
		}
	}
}

func TestError(t *testing.T) {
	s := newStreams(Options{})
	inner := fault.New(fault.Pins, "sha256 mismatch", "espalier fetch")
	s.Error(fault.Wrap(fault.Build, inner, "building hello", "first\nsecond line", "espalier fetch"))
	s.Error(errors.Join(errors.New("one"), errors.New("two")))
	s.Error(nil)
	want := "espalier: building hello: sha256 mismatch\nhint: first\n      second line\nhint: espalier fetch\nespalier: one\nespalier: two\n"
	if got := s.err.String(); got != want {
		t.Errorf("stderr:\n%s\nwant:\n%s", got, want)
	}
}

func TestJSON(t *testing.T) {
	s := newStreams(Options{JSON: true})
	task := s.Start("fetch", progress.Bytes, 100)
	task.Add(10)
	s.now = s.now.Add(600 * time.Millisecond)
	task.Item("a.deb")
	task.Add(10) // too soon for another event
	s.now = s.now.Add(900 * time.Millisecond)
	task.Done(nil)
	s.Note("a <note>")
	s.Printf("never shown")
	s.Table(Table{Head: []string{"a"}, Rows: [][]string{{"b"}}})
	s.Fields([2]string{"a", "b"})
	s.Event("empty", nil)
	s.Event("none", struct{}{})
	s.Error(fault.New(fault.Differ, "differs", "look"))
	want := `{"version":1,"event":"phase","phase":"fetch","state":"start","unit":"bytes","count":0,"total":100}
{"version":1,"event":"phase","phase":"fetch","state":"running","unit":"bytes","count":10,"total":100,"item":"a.deb"}
{"version":1,"event":"phase","phase":"fetch","state":"done","unit":"bytes","count":20,"total":100,"item":"a.deb","seconds":1.5}
{"version":1,"event":"note","text":"a <note>"}
{"version":1,"event":"empty"}
{"version":1,"event":"none"}
{"version":1,"event":"error","exit":8,"kind":"differ","text":"differs","hints":["look"]}
`
	if got := s.out.String(); got != want {
		t.Errorf("stdout:\n%s\nwant:\n%s", got, want)
	}
	if got := s.err.String(); got != "espalier: differs\nhint: look\n" {
		t.Errorf("stderr: %q", got)
	}
}

// TestConcurrentEvents: lines never mix. Run with -race.
func TestConcurrentEvents(t *testing.T) {
	s := newStreams(Options{JSON: true})
	s.opt.Now = time.Now
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			task := s.Start(fmt.Sprintf("phase %d", i), progress.Files, 100)
			for range 100 {
				task.Add(1)
				task.Item("x")
				s.Note("n")
			}
			task.Done(nil)
		})
	}
	wg.Wait()
	n := 0
	for line := range bytes.Lines(s.out.Bytes()) {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		n++
	}
	if n < 8*102 {
		t.Errorf("%d events", n)
	}
}

func TestTable(t *testing.T) {
	s := newStreams(Options{})
	s.Table(Table{Head: []string{"name", "size", "what"}, Right: []int{1}, Rows: [][]string{{"a", "100", "ä"}, {"long name", "5", ""}}})
	s.Table(Table{Head: []string{"empty"}})
	s.Fields([2]string{"chip", "esp32c3"}, [2]string{"nothing", ""}, [2]string{"entry point", "0x1"})
	want := "name       size  what\na           100  ä\nlong name     5\nchip         esp32c3\nentry point  0x1\n"
	if got := s.out.String(); got != want {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
}

// TestHarmless: control characters in a file do not reach the terminal.
func TestHarmless(t *testing.T) {
	s := newStreams(Options{})
	const evil = "a\x1b]0;title\a\x1b[2Jb\u009b31m\tc"
	s.Table(Table{Head: []string{"name"}, Rows: [][]string{{evil}}})
	s.Fields([2]string{"name", evil})
	s.Error(fault.New(fault.Usage, evil, evil))
	if got := s.out.String() + s.err.String(); strings.ContainsAny(got, "\x1b\a\t\u009b") || strings.Count(got, "title") != 4 {
		t.Errorf("printed %q", got)
	}
}

func TestFormats(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1048575: "1.0 MiB", 240123904: "229.0 MiB", 1 << 42: "4.0 TiB", 1 << 53: "8192.0 TiB"} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0.0 s", 99900 * time.Millisecond: "99.9 s", 100 * time.Second: "1 min 40 s", 90 * time.Minute: "1 h 30 min"} {
		if got := Seconds(d); got != want {
			t.Errorf("Seconds(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestKindNames(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range []fault.Kind{fault.OK, fault.Program, fault.Usage, fault.Build, fault.Port, fault.Chip, fault.Pins, fault.Sandbox, fault.Differ, fault.Bug, fault.Timeout, fault.Interrupted} {
		name := KindName(k)
		if name == "unknown" || seen[name] {
			t.Errorf("kind %d is called %q", k, name)
		}
		seen[name] = true
	}
}

func TestEventPanicsOnBug(t *testing.T) {
	s := newStreams(Options{JSON: true})
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "not an object") {
			t.Errorf("recovered %v", r)
		}
	}()
	s.Event("bad", []int{1})
}
