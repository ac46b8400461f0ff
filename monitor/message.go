package monitor

import "strings"

// starts recognises the first line of a crash.
func starts(text string) (Kind, phase, bool) {
	// Every start contains one of a few letters that logs rarely have
	// together; this keeps ordinary lines cheap.
	if len(text) < 8 {
		return 0, 0, false
	}
	switch {
	case strings.Contains(text, "panic"): // panicked, A panic occured, panic'ed
		// Not always at the beginning: it comes in the middle of what the
		// program was printing.
		if strings.Contains(text, "Guru Meditation Error: Core") {
			return Guru, dump, true
		}
		if _, ok := parsePanic(text); ok {
			return Panic, message, true
		}
		if _, ok := oldBanner(text); ok {
			return Panic, banner, true
		}
	case isBanner(text):
		return Panic, banner, true
	case strings.Contains(text, "Exception '") && strings.Contains(text, "mepc=0x"):
		return Exception, message, true
	case isStackOverflow(text):
		return StackOverflow, message, true
	case strings.Contains(text, "abort() was called at PC 0x"), strings.HasPrefix(text, "assert failed: "), strings.HasPrefix(text, "Assert failed in "):
		return Abort, dump, true
	}
	return 0, 0, false
}

func isStackOverflow(text string) bool {
	return strings.Contains(text, "Stack overflow detected at 0x") ||
		strings.Contains(text, "Detected a write to ") && strings.Contains(text, "guard value") ||
		strings.HasPrefix(text, "***ERROR*** A stack overflow in task")
}

// first takes what the starting line says.
func (c *recogniser) first(text string) {
	r := c.report
	switch c.phase {
	case banner:
		c.halts = true
		if loc, ok := oldBanner(text); ok {
			r.Location = loc
		}
	case dump:
		r.Message = text
		if _, core, ok := strings.Cut(text, " on core "); ok {
			r.Core = core
		}
		if pc, ok := hexAfter(text, "called at PC 0x"); ok {
			c.trace = append(c.trace, pc)
		}
		if _, rest, ok := strings.Cut(text, "Guru Meditation Error: Core"); ok {
			core, cause, _ := strings.Cut(rest, "panic'ed")
			r.Core = strings.TrimSpace(core)
			if _, cause, ok := strings.Cut(cause, "("); ok {
				r.Message, _, _ = strings.Cut(cause, ")")
			}
		}
	default:
		c.core(text)
	}
}

// core takes the line "panicked at …" or an exception on a line of its own.
func (c *recogniser) core(text string) {
	p, ok := parsePanic(text)
	if !ok {
		c.phase = message
		c.say(text)
		return
	}
	if p.location != "" {
		c.report.Location = p.location
	}
	c.phase = gap
	switch {
	case p.quoted:
		c.phase = quoted
	case p.open:
		c.phase = message
	}
	if p.message != "" {
		c.say(p.message)
	}
}

// say adds a line to the message and parses it: esp-hal reports an
// exception as a panic whose message describes it.
func (c *recogniser) say(text string) {
	r := c.report
	if core := coreOf(text); core != "" {
		r.Core = core
		text = strings.TrimPrefix(text, "["+core+"] ")
	}
	if pc, ok := hexAfter(text, "mepc=0x"); ok && strings.Contains(text, "Exception '") || ok && strings.Contains(text, "exception ") {
		r.Kind, c.pc = Exception, pc
	}
	if pc, ok := hexAfter(text, "Breakpoint exception at 0x"); ok {
		r.Kind, c.pc = Exception, pc
	}
	if isStackOverflow(text) || strings.Contains(text, "Detected a write to the trap/rwtext segment") {
		r.Kind = StackOverflow
		if pc, ok := hexAfter(text, " at 0x"); ok {
			c.pc = pc
		} else if pc, ok := hexAfter(text, "value at 0x"); ok {
			c.pc = pc
		}
		if ra, ok := hexAfter(text, "called by 0x"); ok {
			c.ra = ra
		}
	}
	if strings.Count(r.Message, "\n") >= maxMessage || len(r.Message) > 16<<10 {
		return
	}
	if r.Message != "" {
		r.Message += "\n"
	}
	r.Message += text
}

// infoLine takes a line of "PanicInfo { … }" as esp-backtrace printed it until
// 2023; the message is alone on the line after "message: Some(".
func (c *recogniser) infoLine(text string) {
	switch {
	case text == "}":
		c.info = false
		c.phase = gap
	case strings.HasPrefix(text, "message: Some("):
		c.report.Message = ""
		if m := strings.TrimSuffix(strings.TrimPrefix(text, "message: Some("), ","); m != "" {
			c.say(strings.TrimSuffix(m, ")"))
		}
	case c.report.Message == "" && !strings.HasPrefix(text, "payload:"):
		c.say(strings.TrimSuffix(text, ","))
	}
}
