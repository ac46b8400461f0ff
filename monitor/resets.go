package monitor

import (
	"fmt"
	"time"
)

// What counts as a loop: so many resets of one cause, each following the one
// before within a span. Watchdogs are slow to bite; a program may restart
// itself on purpose now and then.
const (
	loopWatchdog     = 3
	loopWatchdogSpan = 30 * time.Second
	loopSoftware     = 5
	loopSoftwareSpan = 3 * time.Second
)

// resetLog follows the resets of one stream.
type resetLog struct {
	count   int
	last    uint32 // cause
	at      time.Duration
	run     int  // resets of this cause in a row
	crashed bool // a crash was reported since the last reset
}

// add takes a reset and returns what is to be reported, if anything. The
// first reset of a session that has shown nothing else is how it began: a
// flasher may well have used a watchdog for it.
func (g *resetLog) add(cause uint32, name string, at time.Duration, spoke, timeless bool) (kind Kind, text string) {
	first := g.count == 0 && !spoke
	crashed := g.crashed
	span, need := loopWatchdogSpan, loopWatchdog
	if kindOfReset(cause) == software {
		span, need = loopSoftwareSpan, loopSoftware
	}
	if g.count > 0 && cause == g.last && at-g.at <= span && !timeless {
		g.run++
	} else {
		g.run = 1
	}
	if first {
		g.run = 0
	}
	g.count, g.last, g.at, g.crashed = g.count+1, cause, at, false
	reset := kindOfReset(cause)
	switch {
	case first || reset == deliberate || crashed:
		return 0, ""
	case g.run == need:
		return ResetLoop, fmt.Sprintf("the chip keeps resetting, %d times in a row by now: %s", need, describeReset(cause, name))
	case g.run > need || reset == software:
		return 0, ""
	case reset == supply:
		return Brownout, describeReset(cause, name)
	}
	return Watchdog, describeReset(cause, name)
}

// beginReset starts the report of a reset by a watchdog or the supply.
func (c *recogniser) beginReset(kind Kind, text string, l lineInfo) (done *Report) {
	done = c.begin(kind, saved, l)
	c.report.Message = text
	return done
}

// savedPC takes the line after a reset line; it completes the report.
func (c *recogniser) savedPC(l lineInfo) (mine bool, done *Report) {
	if pc, ok := hexAfter(l.text, "Saved PC:0x"); ok {
		c.pc = pc
		c.report.LastLine = l.number
		return true, c.end()
	}
	return false, c.end()
}

func describeReset(cause uint32, name string) string {
	switch kindOfReset(cause) {
	case watchdog:
		return fmt.Sprintf("%s reset the chip (%s): the program hung or never fed it", watchdogOf(cause), name)
	case supply:
		return fmt.Sprintf("the chip was reset because its supply or clock failed (%s)", name)
	}
	return fmt.Sprintf("the chip was reset (%s)", name)
}
