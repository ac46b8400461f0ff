package session

import (
	"io"
	"time"

	"espalier.dev/espalier/monitor"
)

// merger writes the bytes of a board's streams to some writers. The bytes of one
// stream pass at once and unaltered. With two streams it writes whole lines and
// whole defmt frames, so that a line of one port is never spliced into a line of
// the other; where a port stops within a line, a line feed is inserted before
// the other port's bytes.
type merger struct {
	to    []io.Writer
	lanes []*lane
	owner *lane // whose line is unfinished in the output; nil at the start of a line
	err   error // first error of a writer; bytes after it are dropped
}

// lane is one stream.
type lane struct {
	name    monitor.Stream
	pending []byte        // held back while another lane is within a line
	last    time.Duration // when its last byte arrived
	scan    boundary      // state after the last byte that was written
}

// lineTimeout is how long a line may stay unfinished before another stream's
// bytes are written.
const lineTimeout = 50 * time.Millisecond

// maxPending bounds the bytes of a stream that are held back.
const maxPending = 128 << 10

func (m *merger) lane(name monitor.Stream) *lane {
	for _, l := range m.lanes {
		if l.name == name {
			return l
		}
	}
	l := &lane{name: name}
	m.lanes = append(m.lanes, l)
	return l
}

// write takes bytes that a stream delivered at a time.
func (m *merger) write(name monitor.Stream, at time.Duration, p []byte) {
	if len(m.to) == 0 || len(p) == 0 {
		return
	}
	l := m.lane(name)
	l.last = at
	if m.owner != nil && m.owner != l {
		l.pending = append(l.pending, p...)
		if at-m.owner.last < lineTimeout && len(l.pending) < maxPending {
			return
		}
		m.breakLine()
		m.drain(l)
		return
	}
	m.pass(l, p)
	if m.owner == nil {
		m.drain(l)
	}
}

// pass writes p, and lets the other lanes write where a line of l ends.
func (m *merger) pass(l *lane, p []byte) {
	if len(m.lanes) > 1 {
		if n := l.scan.lastEnd(p); n > 0 && n < len(p) {
			m.put(l, p[:n])
			m.drain(l)
			p = p[n:]
			if m.owner != nil {
				l.pending = append(l.pending, p...)
				return
			}
		}
	}
	m.put(l, p)
}

// put writes p to all writers.
func (m *merger) put(l *lane, p []byte) {
	m.owner = l
	if l.scan.feed(p) {
		m.owner = nil
	}
	m.raw(p)
}

func (m *merger) raw(p []byte) {
	for _, w := range m.to {
		if m.err != nil {
			return
		}
		_, m.err = w.Write(p)
	}
}

// breakLine ends the line of the owner.
func (m *merger) breakLine() {
	if m.owner != nil {
		m.raw([]byte("\n"))
		m.owner.scan, m.owner = boundary{}, nil
	}
}

// drain writes what the lanes hold back, the other lanes before l, until one of
// them is within a line.
func (m *merger) drain(l *lane) {
	for _, whole := range []bool{true, false} {
		for _, other := range m.lanes {
			if other == l && whole {
				continue
			}
			p := other.pending
			if whole {
				scan := other.scan
				p = p[:scan.lastEnd(p)]
			}
			if len(p) == 0 || m.owner != nil {
				continue
			}
			other.pending = other.pending[len(p):]
			m.put(other, p)
		}
	}
}

// close writes what is still held back.
func (m *merger) close() {
	for _, l := range m.lanes {
		if len(l.pending) > 0 {
			m.breakLine()
			m.put(l, l.pending)
			l.pending = nil
		}
	}
}

// boundary finds the ends of lines and of defmt frames as esp-println sends them
// (0xFF 0x00 before each frame, 0x00 after it); within a frame a line feed ends
// nothing.
type boundary struct {
	frame bool // within a frame
	mark  bool // the last byte was 0xFF
}

// feed takes bytes and reports whether the last of them ends a line or frame.
func (b *boundary) feed(p []byte) (ended bool) {
	for _, c := range p {
		switch {
		case b.frame:
			ended = c == 0
			b.frame = !ended
		case b.mark && c == 0:
			b.frame, ended = true, false
		default:
			ended = c == '\n'
		}
		b.mark = c == 0xff && !b.frame
	}
	return ended
}

// lastEnd is how many bytes of p are before its last end of a line or frame.
func (b boundary) lastEnd(p []byte) (n int) {
	for i := range p {
		if b.feed(p[i : i+1]) {
			n = i + 1
		}
	}
	return n
}
