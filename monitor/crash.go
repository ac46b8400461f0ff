package monitor

import (
	"strings"
	"time"
)

// framePointers is what a user does who sees no backtrace.
const framePointers = `the backtrace needs frame pointers: rustflags = ["-C", "force-frame-pointers"] in .cargo/config.toml`

// quiet is how long a crash may be silent before it is taken to be over: the
// program has stopped and nothing else will end it. A stack dump comes
// without pauses.
const quiet = 250 * time.Millisecond

// Bounds of one report.
const (
	maxMessage = 64 // lines
	maxFrames  = 128
	maxStack   = 64 << 10
)

// phase is what a crash is in the middle of.
type phase uint8

const (
	idle      phase = iota
	banner          // after the PANIC banner, before core's line
	quoted          // inside 'message', the old form, over several lines
	message         // lines of the message
	gap             // after it
	dump            // registers, stack memory
	backtrace       // addresses
	tail            // blank lines after the end
	saved           // after a reset line, before the saved program counter
)

// recogniser finds crashes in the lines of one stream and folds each into a
// report.
type recogniser struct {
	executable func(uint32) bool
	report     *Report
	phase      phase
	halts      bool // after esp-backtrace's banner nothing but the crash follows
	info       bool // inside the derived Debug of a PanicInfo
	last       time.Duration
	pc, ra     uint32 // where it happened and who called, if known
	trace      []uint32
	lines      int
}

// open reports whether a report is being collected.
func (c *recogniser) open() bool { return c.report != nil }

// begin starts a report. An open one is complete.
func (c *recogniser) begin(kind Kind, p phase, l lineInfo) (done *Report) {
	done = c.end()
	c.report = &Report{Kind: kind, Stream: l.stream, At: l.at, FirstLine: l.number, LastLine: l.number}
	c.phase, c.halts, c.info, c.last = p, false, false, l.at
	c.pc, c.ra, c.trace, c.lines = 0, 0, nil, 0
	return done
}

// lineInfo is a complete line as the recogniser sees it.
type lineInfo struct {
	stream Stream
	text   string
	number int
	at     time.Duration
}

// line takes the next line. mine says whether it belongs to a crash; done is
// the report that it completes, if any.
func (c *recogniser) line(l lineInfo) (mine bool, done *Report) {
	text := strings.TrimSpace(l.text)
	if c.phase == tail {
		if text == "" {
			return true, nil
		}
		c.phase = idle
	}
	if kind, p, ok := starts(text); ok && c.fresh(text) {
		done = c.begin(kind, p, l)
		c.first(text)
		return true, done
	}
	if !c.open() {
		return false, nil
	}
	mine = c.next(text, l.text != text && strings.HasPrefix(l.text, " "))
	if mine {
		c.last = l.at
		c.report.LastLine = l.number
		if c.lines++; c.lines > 4096 {
			mine = false // whatever this is, it does not end
		}
	}
	if !mine || c.phase == tail {
		p := c.phase
		done = c.end()
		if mine {
			c.phase = p
		}
	}
	return mine, done
}

// fresh reports whether a starting line starts a report of its own and is
// not the continuation of the open one: the banner is followed by core's line,
// and core's line by esp-hal's exception as its message.
func (c *recogniser) fresh(text string) bool {
	switch {
	case !c.open():
		return true
	case c.phase == banner:
		return false
	case strings.Contains(text, "Guru Meditation Error: Core"), isBanner(text), strings.Contains(text, "panicked at "):
		return true
	}
	return false
}

// next takes a line inside a crash and reports whether it belongs to it.
func (c *recogniser) next(text string, indented bool) bool {
	switch {
	case text == "":
		return c.blank()
	case strings.HasPrefix(text, "Backtrace:"):
		c.phase = backtrace
		c.addresses(text)
		return true
	case strings.HasPrefix(text, "No backtrace available"):
		c.phase = backtrace
		c.hint(framePointers)
		return true
	case strings.HasPrefix(text, "STACKDUMP: "):
		if d := stackDump(text); d != nil {
			c.report.Stack = d
		}
		c.hint(framePointers)
		c.phase = backtrace
		return true
	case strings.HasPrefix(text, "TrapFrame {"):
		c.take(trapFrame(text, c.executable))
		c.phase = gap
		return true
	case text == "TrapFrame", strings.HasPrefix(text, "Core ") && strings.HasSuffix(text, "register dump:"):
		c.phase = dump
		return true
	}
	switch c.phase {
	case banner:
		if c.info = text == "PanicInfo {"; c.info {
			c.phase = message
			return true
		}
		c.core(text)
		return true
	case quoted:
		if m, loc, ok := cutQuoted(text); ok {
			c.say(m)
			c.report.Location = loc
			c.phase = gap
			return true
		}
		c.say(text)
		return true
	case message:
		if c.addresses(text) {
			c.phase = backtrace
			return true
		}
		if c.info {
			c.infoLine(text)
			return true
		}
		// A handler of the user's own may continue after the message, whose
		// further lines core and assert_eq! indent.
		if !c.halts && c.report.Message != "" && !indented {
			return false
		}
		c.say(text)
		return true
	case gap:
		if regs := registerLine(text); regs != nil {
			c.take(regs)
			return true
		}
		if c.addresses(text) {
			c.phase = backtrace
			return true
		}
		if c.halts && len(c.trace) == 0 {
			c.say(text) // a message with an empty line in it
			return true
		}
		return false
	case dump:
		return c.dumpLine(text)
	case backtrace:
		if strings.HasPrefix(text, "ELF file SHA256") || strings.HasPrefix(text, "Rebooting...") {
			return true
		}
		return c.addresses(text)
	}
	return false
}

// blank takes an empty line.
func (c *recogniser) blank() bool {
	switch c.phase {
	case message:
		if c.report.Message != "" {
			c.phase = gap
		}
	case backtrace:
		if len(c.trace) > 0 || c.report.Stack != nil || len(c.report.Hints) > 0 {
			if c.report.Kind == Guru || c.report.Kind == Abort {
				return true // "ELF file SHA256" follows
			}
			c.phase = tail
		}
	}
	return true
}

// dumpLine takes a line of a register dump as ESP-IDF and the mask ROM print
// it, and of the old form of esp-backtrace.
func (c *recogniser) dumpLine(text string) bool {
	if regs := registerLine(text); regs != nil {
		c.take(regs)
		return true
	}
	if addr, data, ok := stackLine(text); ok {
		s := c.report.Stack
		if s == nil {
			s = &StackDump{SP: addr, PC: c.pc}
			c.report.Stack = s
		}
		if uint64(addr) == uint64(s.SP)+uint64(len(s.Data)) && len(s.Data) < maxStack {
			s.Data = append(s.Data, data...)
		}
		return true
	}
	switch {
	case strings.HasPrefix(text, "Stack memory:"), strings.HasPrefix(text, "ELF file SHA256"), strings.HasPrefix(text, "Rebooting..."):
		return true
	case c.addresses(text):
		c.phase = backtrace
		return true
	case len(c.report.Registers) == 0 && strings.Count(c.report.Message, "\n") < 8:
		c.say(text) // "Debug exception reason: …"
		return true
	}
	return false
}

// take adds registers and reads from them where it happened.
func (c *recogniser) take(regs []Register) {
	r := c.report
	if len(r.Registers)+len(regs) > maxRegisters {
		return
	}
	r.Registers = append(r.Registers, regs...)
	for _, reg := range regs {
		switch reg.Name {
		case "mepc", "pc":
			if c.pc == 0 {
				c.pc = reg.Value
			}
		case "ra":
			c.ra = reg.Value
		}
	}
}

// addresses takes a line of backtrace addresses.
func (c *recogniser) addresses(text string) bool {
	pcs, ok := backtraceLine(text)
	if ok && len(c.trace)+len(pcs) <= maxFrames {
		c.trace = append(c.trace, pcs...)
	}
	return ok
}

func (c *recogniser) hint(h string) {
	for _, old := range c.report.Hints {
		if old == h {
			return
		}
	}
	c.report.Hints = append(c.report.Hints, h)
}

// tick ends a crash that has been silent long enough.
func (c *recogniser) tick(at time.Duration) *Report {
	if c.open() && at >= c.last+quiet {
		return c.end()
	}
	return nil
}

// end completes the open report, if any: its addresses in order, each once.
func (c *recogniser) end() *Report {
	r := c.report
	c.report, c.phase = nil, idle
	if r == nil {
		return nil
	}
	seen := map[uint32]bool{}
	add := func(addr uint32, role string) {
		if addr != 0 && !seen[addr] {
			seen[addr] = true
			r.Frames = append(r.Frames, ReportFrame{Addr: addr, Role: role})
		}
	}
	if r.Kind == Watchdog || r.Kind == ResetLoop {
		add(c.pc, "saved-pc")
		return r
	}
	add(c.pc, "pc")
	if len(c.trace) == 0 || r.Kind == StackOverflow || r.Kind == Guru {
		add(c.ra, "ra")
	}
	for _, pc := range c.trace {
		add(pc, "backtrace")
	}
	if r.Stack != nil {
		add(r.Stack.PC, "stack-dump") // where the unwinding of the dump begins
	}
	if r.Message == "" {
		r.Message = "no message"
	}
	return r
}
