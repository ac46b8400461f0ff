package emu

import (
	"bytes"
	"time"

	"espalier.dev/espalier/emu/chip"
)

// Option is a condition under which Run stops. Without any, a run ends with
// its context or when nothing can happen any more.
type Option func(*stops)

// stops are the conditions of one call of Run.
type stops struct {
	limit        chip.Duration // 0: none
	instructions uint64        // 0: none
	reset        bool
	texts        []*textMatch
	outputs      []func(Output) bool
	found        string // the text that ended the run
}

// machine returns the conditions as the machine checks them. Of a text and a
// function that hold at the same output, the text is reported.
func (s *stops) machine() chip.Stops {
	c := chip.Stops{Limit: s.limit, Instructions: s.instructions, Reset: s.reset}
	if len(s.texts)+len(s.outputs) > 0 {
		c.Output = s.output
	}
	return c
}

func (s *stops) output(o Output) bool {
	stop := false
	for _, t := range s.texts {
		if t.feed(o) && !stop {
			stop, s.found = true, string(t.text)
		}
	}
	for _, f := range s.outputs {
		stop = f(o) || stop
	}
	return stop
}

// Limit stops after d of guest time, counted from the start of the call. A
// limit that is not positive is none.
func Limit(d time.Duration) Option {
	return func(s *stops) {
		if t := chip.Ticks(d); d > 0 && (s.limit == 0 || t < s.limit) {
			s.limit = t
		}
	}
}

// Instructions stops when the call has retired n instructions.
func Instructions(n uint64) Option {
	return func(s *stops) { s.instructions = n }
}

// UntilReset stops at the next reset of the chip, before the first instruction
// after it.
func UntilReset() Option {
	return func(s *stops) { s.reset = true }
}

// UntilText stops when text has been written to one of the streams, or to any
// stream when none is named. Only what is written during the call counts. An
// empty text never matches.
func UntilText(text string, on ...Stream) Option {
	return func(s *stops) {
		m := &textMatch{text: []byte(text)}
		for i := range m.watch {
			m.watch[i] = len(on) == 0
		}
		for _, st := range on {
			if st < chip.Streams {
				m.watch[st] = true
			}
		}
		s.texts = append(s.texts, m)
	}
}

// UntilOutput stops when f returns true for something the guest wrote. The
// Data of the record is only valid during the call.
func UntilOutput(f func(Output) bool) Option {
	return func(s *stops) { s.outputs = append(s.outputs, f) }
}

// textMatch looks for a text in each stream, across the borders of records.
type textMatch struct {
	text  []byte
	watch [chip.Streams]bool
	tail  [chip.Streams][]byte // at most len(text)-1 bytes
}

func (m *textMatch) feed(o Output) bool {
	if len(m.text) == 0 || !m.watch[o.Stream] {
		return false
	}
	buf := append(m.tail[o.Stream], o.Data...)
	found := bytes.Contains(buf, m.text)
	if keep := len(m.text) - 1; len(buf) > keep {
		n := copy(buf, buf[len(buf)-keep:])
		buf = buf[:n]
	}
	m.tail[o.Stream] = buf
	return found
}
