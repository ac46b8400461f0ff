package monitor

import (
	"fmt"
	"io"
	"strings"
	"time"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/firmware/defmt"
)

// Options are what New needs. The zero value splits lines and recognises
// crashes, without names for addresses.
type Options struct {
	Symbols    *firmware.Symbols // nil: no annotation; a ROM that prints its version is chosen among its ROMs
	Expect     []Rule            // all must appear, in any order
	Fail       []Rule            // any of them ends the run
	For        time.Duration     // length of the run in the time of Write; 0: no limit
	KeepColor  bool              // keep colour sequences in Line.Text
	KeepGoing  bool              // a crash is reported and remembered, but ends nothing
	Timeless   bool              // the times of Write mean nothing, as in a log that was kept: many resets are no loop
	AllowReset bool              // a watchdog reset is reported, but is no failure
	Raw, Log   io.Writer         // get every byte unaltered, as it arrives; nil: not written
}

// Monitor watches the streams of one board. It is not safe for concurrent
// use.
type Monitor struct {
	opt     Options
	sink    Sink
	names   annotator
	streams []*stream // in order of appearance
	seen    []bool    // per Expect
	left    int       // how many are not seen
	result  Result
	crash   *Report // the first one that counts
	ioErr   error
	scratch []byte // of a frame's line
	unframe func() *unframer
}

// stream is what is known about one source of bytes.
type stream struct {
	name    Stream
	frames  *unframer // nil: text only
	split   splitter
	emit    func(piece) bool
	crash   recogniser
	booting bool          // the last lines were the ROM's or the bootloader's
	spoke   bool          // the program has printed something
	last    time.Duration // of the last byte
	resets  resetLog
	refused string // boot failure already reported
}

// New makes a monitor that gives lines and reports to sink.
func New(opt Options, sink Sink) *Monitor {
	return &Monitor{
		opt: opt, sink: sink, names: annotator{syms: opt.Symbols}, seen: make([]bool, len(opt.Expect)), left: len(opt.Expect),
		unframe: func() *unframer { return newUnframer(opt.Symbols.App()) },
	}
}

// Write takes bytes that stream s delivered at time at: guest time on an
// emulated board, time since the start on a real one. Times must not go back.
// It reports whether the verdict is in; later bytes still go to Raw and Log,
// and nowhere else.
func (m *Monitor) Write(s Stream, at time.Duration, p []byte) (done bool) {
	m.copyOut(p)
	if m.Tick(at) {
		return true
	}
	st := m.stream(s)
	st.last = at
	if st.frames != nil {
		st.frames.write(p)
	} else {
		m.text(st, p)
	}
	return m.Done()
}

// text splits bytes into lines.
func (m *Monitor) text(st *stream, p []byte) bool {
	return st.split.write(st.last, p, st.emit)
}

// copyOut serves Raw and Log. A writer that failed is not used again; Err
// tells.
func (m *Monitor) copyOut(p []byte) {
	for _, w := range []*io.Writer{&m.opt.Raw, &m.opt.Log} {
		if *w == nil {
			continue
		}
		if _, err := (*w).Write(p); err != nil {
			m.ioErr, *w = err, nil
		}
	}
}

// Err is the first error of Raw or Log.
func (m *Monitor) Err() error { return m.ioErr }

func (m *Monitor) stream(name Stream) *stream {
	for _, st := range m.streams {
		if st.name == name {
			return st
		}
	}
	st := &stream{name: name, crash: recogniser{executable: func(addr uint32) bool { return m.opt.Symbols.Executable(addr) }}, frames: m.unframe()}
	st.emit = func(x piece) bool {
		m.piece(st, x, st.last)
		return !m.Done()
	}
	if u := st.frames; u != nil {
		u.text = func(p []byte) bool { return m.text(st, p) }
		u.end = func() bool { return st.split.endLine(st.last, st.emit) }
		u.frame = func(raw []byte, f *defmt.Frame) bool {
			return u.end() && m.logged(st, st.last, raw, f)
		}
	}
	m.streams = append(m.streams, st)
	return st
}

// Tick says that it is at now, without new bytes: For may be over, and a
// silent crash complete.
func (m *Monitor) Tick(at time.Duration) (done bool) {
	if m.Done() {
		return true
	}
	for _, st := range m.streams {
		m.deliver(st, st.crash.tick(at))
		if m.Done() {
			return true
		}
	}
	if m.opt.For > 0 && at >= m.opt.For {
		m.drain(at)
		switch {
		case m.Done():
		case m.left > 0:
			m.decide(TimedOut, fmt.Sprintf("%s did not appear within %v", m.missing(), m.opt.For))
		default:
			m.decide(Elapsed, fmt.Sprintf("ran for %v", m.opt.For))
		}
	}
	return m.Done()
}

// NextTick is when Tick is wanted next at the latest; ok is false if never.
// A guest may run without the monitor until then.
func (m *Monitor) NextTick() (at time.Duration, ok bool) {
	if m.Done() {
		return 0, false
	}
	want := func(t time.Duration) {
		if !ok || t < at {
			at, ok = t, true
		}
	}
	if m.opt.For > 0 {
		want(m.opt.For)
	}
	for _, st := range m.streams {
		if st.crash.open() {
			want(st.crash.last + quiet)
		}
	}
	return at, ok
}

// pause is how long a stream must be silent before Flush shows an unfinished
// line: a line on its way through a slow UART is not cut in pieces.
const pause = 50 * time.Millisecond

// Flush shows what there is of unfinished lines, such as a prompt, and holds
// it against the rules, for every stream that has been silent for a while
// (pause). It may be called at any time, as often as one likes. The rest of
// the line comes with Continued set.
func (m *Monitor) Flush(at time.Duration) (done bool) {
	for _, st := range m.streams {
		if m.Done() {
			break
		}
		if at < st.last+pause {
			continue
		}
		silent := at - st.last
		st.last = at
		if st.frames == nil || st.frames.flush(silent, false) {
			st.split.flush(false, st.emit)
		}
		st.last = at - silent
	}
	return m.Done()
}

// Timeout says that the host's timeout (--timeout) has passed.
func (m *Monitor) Timeout(at time.Duration) {
	if m.Done() {
		return
	}
	m.drain(at)
	switch {
	case m.Done():
	case m.left > 0:
		m.decide(TimedOut, fmt.Sprintf("%s did not appear before the timeout", m.missing()))
	default:
		m.decide(TimedOut, "timeout")
	}
}

// Close says that no more bytes will come and returns the verdict.
func (m *Monitor) Close(at time.Duration) Result {
	if !m.Done() {
		m.drain(at)
	}
	if !m.Done() {
		if m.left > 0 {
			m.decide(Missing, fmt.Sprintf("%s did not appear before the output ended", m.missing()))
		} else {
			m.decide(Ended, "the output ended")
		}
	}
	return m.result
}

// Done reports whether the verdict is in.
func (m *Monitor) Done() bool { return m.result.Verdict != Running }

// Result is the verdict so far.
func (m *Monitor) Result() Result { return m.result }

// drain finishes every unfinished line and report.
func (m *Monitor) drain(at time.Duration) {
	for _, st := range m.streams {
		st.last = at
		if st.frames == nil || st.frames.flush(0, true) {
			st.split.flush(true, st.emit)
		}
		if m.Done() {
			return
		}
		if rest := bytesLeft(&st.split); rest != "" {
			_, r := st.crash.line(lineInfo{stream: st.name, text: rest, number: st.split.number + 1, at: at})
			m.deliver(st, r)
		}
		m.deliver(st, st.crash.end())
	}
}

// bytesLeft is the plain text of a line that never ended.
func bytesLeft(s *splitter) string {
	_, plain := text(s.buf[:min(s.shown, len(s.buf))], false)
	return plain
}

// piece handles what a splitter gives out.
func (m *Monitor) piece(st *stream, x piece, at time.Duration) {
	shown, plain := text(x.fresh, m.opt.KeepColor)
	whole := plain
	if len(x.whole) != len(x.fresh) {
		_, whole = text(x.whole, false)
	}
	if plain == "" && x.end != Partial && !x.continued {
		shown = "" // see docs/monitor.md: a colour that a crash line ends must not begin outside of it
	}
	line := Line{Stream: st.name, At: x.start, Number: x.number, Text: shown, Raw: x.fresh, End: x.end, Continued: x.continued}
	if x.end == Partial || x.end == Cut {
		line.Class = Program
		if st.crash.open() {
			line.Class = Crash
		} else if st.booting && bootLine(whole, true) {
			line.Class = Boot
		}
	} else {
		var before, after *Report
		line.Class, before, after = m.classify(st, lineInfo{stream: st.name, text: whole, number: x.number, at: at})
		if m.deliver(st, before); m.Done() {
			return
		}
		defer m.deliver(st, after)
	}
	m.give(&line, whole)
}

// give names the addresses of a line, hands it out and holds it against the
// rules.
func (m *Monitor) give(line *Line, plain string) {
	if line.Class == Program {
		line.Notes = m.names.notes(line.Text)
	}
	m.sink.Line(*line)
	m.judge(line.Class, plain)
}

// rom uses the names of the mask ROM that has printed its version.
func (m *Monitor) rom(version string) {
	if syms := m.opt.Symbols.OfROM(version); syms != m.opt.Symbols {
		m.opt.Symbols, m.names = syms, annotator{syms: syms}
	}
}

// classify says whose line it is and which reports it completes: before is to
// be delivered before the line, after after it.
func (m *Monitor) classify(st *stream, l lineInfo) (class Class, before, after *Report) {
	if version, ok := strings.CutPrefix(l.text, "ESP-ROM:"); ok {
		m.rom(version)
	}
	if cause, name, ok := resetLine(l.text); ok {
		before = st.crash.end()
		if before != nil {
			st.resets.crashed = true
		}
		st.booting = true
		if kind, text := st.resets.add(cause, name, l.at, st.spoke, m.opt.Timeless); text != "" {
			st.crash.beginReset(kind, text, l)
		}
		return Boot, before, nil
	}
	if st.crash.phase == saved {
		mine, r := st.crash.savedPC(l)
		if mine {
			return Boot, nil, r
		}
		before = r
	}
	if st.crash.open() && strings.HasPrefix(l.text, "ESP-ROM:") {
		before = st.crash.end()
		st.resets.crashed = true
	}
	if !st.booting && !st.spoke && bannerTail(l.text) {
		st.booting = true
		return Boot, before, nil
	}
	if !st.crash.open() && bootLine(l.text, st.booting) {
		if l.text != "" {
			st.booting = true
		}
		if meaning, ok := bootFailure(l.text, st.booting); ok && st.refused != l.text {
			st.refused = l.text
			after = &Report{Kind: BootFailure, Stream: l.stream, At: l.at, FirstLine: l.number, LastLine: l.number,
				Message: meaning + "\n" + l.text}
		}
		return Boot, before, after
	}
	mine, r := st.crash.line(l)
	if mine {
		st.booting, st.spoke = false, true
		return Crash, before, r
	}
	if before == nil {
		before = r
	}
	if l.text != "" {
		st.booting, st.spoke = false, true
	}
	return Program, before, nil
}

// deliver hands out a report and, if it counts, decides.
func (m *Monitor) deliver(st *stream, r *Report) {
	if r == nil || m.Done() {
		return
	}
	if r.Kind != Watchdog && r.Kind != ResetLoop && r.Kind != Brownout {
		st.resets.crashed = true
	}
	r.symbolise(m.opt.Symbols)
	m.sink.Report(r)
	switch r.Kind {
	case Watchdog, Brownout, ResetLoop:
		if m.opt.AllowReset {
			return
		}
	}
	if m.crash == nil {
		m.crash = r
		m.result.Report = r
	}
	if !m.opt.KeepGoing {
		m.decide(Crashed, r.summary())
	}
}

// judge holds a line against the rules. In a crash the rules of --fail wait:
// the report says more than they could.
func (m *Monitor) judge(class Class, line string) {
	if class != Crash {
		for _, r := range m.opt.Fail {
			if r.Match(line) {
				m.decide(FailText, fmt.Sprintf("the firmware printed %q, which matches --fail %s", strings.TrimSpace(line), r))
				return
			}
		}
	}
	if m.left == 0 {
		return
	}
	for i, r := range m.opt.Expect {
		if !m.seen[i] && r.Match(line) {
			m.seen[i] = true
			m.left--
		}
	}
	if m.left == 0 {
		m.decide(Passed, "everything expected has appeared")
	}
}

func (m *Monitor) missing() string {
	var out []string
	for i, r := range m.opt.Expect {
		if !m.seen[i] {
			out = append(out, fmt.Sprintf("%q", r.String()))
		}
	}
	return strings.Join(out, ", ")
}

// decide sets the verdict, once. A crash that was survived (KeepGoing) is not
// forgotten.
func (m *Monitor) decide(v Verdict, reason string) {
	if m.Done() {
		return
	}
	if m.crash != nil && v != Crashed && v != FailText {
		v, reason = Crashed, m.crash.summary()
	}
	m.result = Result{Verdict: v, Reason: reason, Report: m.crash}
	for i, r := range m.opt.Expect {
		if !m.seen[i] {
			m.result.Missing = append(m.result.Missing, r.String())
		}
	}
}
