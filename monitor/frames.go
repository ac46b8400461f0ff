package monitor

import (
	"bytes"
	"time"
	"unicode/utf8"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/firmware/defmt"
)

// maxFrame is the longest frame that is waited for.
const maxFrame = 64 << 10

// framePause is how long a stream must be silent inside a frame before the
// frame is taken to be lost.
const framePause = time.Second

// unframer takes the frames of defmt out of a stream; the rest is text.
//
// esp-println writes 0xFF 0x00 before a frame, bytes that no UTF-8 text
// contains; a packed frame ends with a zero. Other transports send nothing but
// frames: there every zero ends one, and what is none is text (the ROM and the
// bootloader speak first).
type unframer struct {
	table    *defmt.Table
	decoder  *defmt.Decoder
	bare     bool // frames without 0xFF 0x00
	seen     bool // a frame has come
	inside   bool
	mark     bool   // a 0xFF has been seen, and not what follows it
	buf      []byte // of the frame that is being read
	unpacked []byte
	decoded  defmt.Frame

	// text gets what is no frame, frame what is; both stop the work by
	// returning false. end says that a line of text cannot continue.
	text  func(p []byte) bool
	frame func(raw []byte, f *defmt.Frame) bool
	end   func() bool
}

// newUnframer returns nil for a program that does not use defmt.
func newUnframer(app *firmware.ELF) *unframer {
	if app == nil {
		return nil
	}
	t, err := app.Defmt()
	if t == nil || err != nil {
		return nil
	}
	return &unframer{table: t, decoder: defmt.NewDecoder(t), bare: !app.EspPrintln()}
}

var frameMark = []byte{0xff, 0x00}

func (u *unframer) write(p []byte) bool {
	for len(p) > 0 {
		var ok bool
		if p, ok = u.step(p); !ok {
			return false
		}
	}
	return true
}

// step handles the beginning of p and returns the rest.
func (u *unframer) step(p []byte) (rest []byte, ok bool) {
	switch {
	case u.inside || u.bare:
		if u.table.Encoding() == defmt.Raw {
			return u.rawFrame(p)
		}
		return u.packedFrame(p)
	case u.mark:
		u.mark = false
		if p[0] == 0 {
			u.inside = true
			return p[1:], true
		}
		return p, u.text(frameMark[:1])
	}
	i := bytes.IndexByte(p, 0xff)
	if i < 0 {
		return nil, u.text(p)
	}
	if i > 0 && !u.text(p[:i]) {
		return nil, false
	}
	u.mark = true
	return p[i+1:], true
}

// packedFrame reads up to the zero that ends a frame.
func (u *unframer) packedFrame(p []byte) (rest []byte, ok bool) {
	if len(u.buf) == 0 {
		p = bytes.TrimLeft(p, "\x00") // the first frame has one before it
	}
	i := bytes.IndexByte(p, 0)
	n := i
	if i < 0 {
		n = len(p)
	}
	if len(u.buf)+n > maxFrame {
		u.buf = append(u.buf, p[:n]...)
		return u.tooLong(p[n:])
	}
	if i < 0 {
		u.buf = append(u.buf, p...)
		left, ok := u.firstLines(u.buf)
		u.buf = u.buf[:copy(u.buf, left)]
		return nil, ok
	}
	packet := p[:i]
	if len(u.buf) > 0 {
		u.buf = append(u.buf, packet...)
		packet = u.buf
	}
	if packet, ok = u.firstLines(packet); ok && len(packet) > 0 {
		ok = u.packet(packet)
	}
	u.buf = u.buf[:0]
	return p[i+1:], ok
}

// firstLines shows lines that are nothing but text at once, as long as no
// frame has come: a program may log through a debug probe, and print.
func (u *unframer) firstLines(b []byte) (rest []byte, ok bool) {
	for u.bare && !u.seen {
		i := bytes.IndexByte(b, '\n') + 1
		if i == 0 || !isText(b[:i]) {
			break
		}
		if !u.text(b[:i]) {
			return nil, false
		}
		b = b[i:]
	}
	return b, true
}

// tooLong gives up a frame of which buf and rest are the beginning.
func (u *unframer) tooLong(rest []byte) ([]byte, bool) {
	if u.bare {
		for len(u.buf) > maxFrame {
			if !u.text(u.buf[:maxFrame]) {
				return nil, false
			}
			u.buf = u.buf[:copy(u.buf, u.buf[maxFrame:])]
		}
		return rest, true
	}
	rest = append(u.buf, rest...)
	u.buf, u.inside = nil, false
	return rest, u.text(frameMark)
}

// packet handles what stood before a zero.
func (u *unframer) packet(b []byte) bool {
	if f, ok := u.unpack(b); ok {
		u.inside = false
		return u.frame(b, f)
	}
	if text, ok := bytes.CutSuffix(b, frameMark[:1]); ok && u.bare && isText(text) {
		// The frames come with marks although esp-println is not in the program:
		// by RTT, next to the text of the bootloader.
		u.bare, u.inside = false, true
		return len(text) == 0 || u.text(text)
	}
	if u.bare {
		// Text may precede the first frame.
		if i := bytes.LastIndexByte(b, '\n'); i >= 0 && i+1 < len(b) {
			if f, ok := u.unpack(b[i+1:]); ok {
				return u.text(b[:i+1]) && u.frame(b[i+1:], f)
			}
		}
		return u.text(b) && u.end()
	}
	// A frame that was cut off, by a reset or a lost byte. The zero may belong
	// to the mark of the next one.
	next := b[len(b)-1] == 0xff
	u.inside = next
	if next {
		b = b[:len(b)-1]
	}
	return u.text(frameMark) && u.text(b) && u.end()
}

func (u *unframer) unpack(b []byte) (*defmt.Frame, bool) {
	var err error
	if u.unpacked, err = defmt.Unpack(u.unpacked[:0], b); err != nil {
		return nil, false
	}
	u.decoded, _, err = u.decoder.Decode(u.unpacked)
	u.seen = u.seen || err == nil
	return &u.decoded, err == nil
}

// rawFrame reads frames that say themselves how long they are.
func (u *unframer) rawFrame(p []byte) (rest []byte, ok bool) {
	u.buf = append(u.buf, p...)
	b := u.buf
	// drop forgets what is done.
	drop := func() { u.buf = u.buf[:copy(u.buf, b)] }
	for len(b) > 0 {
		f, n, err := u.decoder.Decode(b)
		u.decoded = f
		switch {
		case err == nil && n <= maxFrame:
			ok = u.frame(b[:n], &u.decoded)
			b = b[n:]
			if !u.bare || !ok {
				rest = bytes.Clone(b)
				u.buf, u.inside = u.buf[:0], false
				return rest, ok
			}
		case err == defmt.ErrShort && len(b) <= maxFrame:
			drop()
			return nil, true
		case u.bare: // text of the ROM, or a lost byte
			if !u.text(b[:1]) {
				return nil, false
			}
			b = b[1:]
		default:
			return u.tooLong(nil)
		}
	}
	drop()
	return nil, true
}

// giveUp shows what was taken for a frame as text.
func (u *unframer) giveUp() bool {
	b := u.buf
	u.buf, u.inside = nil, false
	return (u.bare || u.text(frameMark)) && u.text(b) && u.end()
}

// flush shows what is not complete. Unless final, only what has waited too
// long, or is text.
func (u *unframer) flush(silent time.Duration, final bool) bool {
	switch {
	case u.mark && (final || silent >= framePause):
		u.mark = false
		return u.text(frameMark[:1])
	case len(u.buf) == 0:
		return true
	case u.bare && !final && silent < framePause && !isText(u.buf):
		return true
	case u.bare:
		b := u.buf
		u.buf = nil
		return u.text(b)
	case final || silent >= framePause:
		return u.giveUp()
	}
	return true
}

// isText reports whether b can be nothing but text.
func isText(b []byte) bool {
	for _, c := range b {
		if c < 0x20 && c != '\t' && c != '\r' && c != '\n' && c != 0x1b {
			return false
		}
	}
	return utf8.Valid(b)
}

// logged handles one frame: its message, which may have several lines.
func (m *Monitor) logged(st *stream, at time.Duration, raw []byte, f *defmt.Frame) bool {
	head := m.scratch[:0]
	if len(f.Timestamp) > 0 {
		head = append(append(head, f.Timestamp...), ' ')
	}
	if f.Level != defmt.NoLevel {
		const width = "     "
		name := f.Level.String()
		head = append(append(head, name...), width[:len(width)-len(name)+1]...)
	}
	for i, rest := 0, f.Message; !m.Done(); i++ {
		text, more, again := bytes.Cut(rest, []byte{'\n'})
		head = append(head, text...)
		m.message(st, at, raw, f, head, len(head)-len(text), i > 0)
		if rest = more; !again {
			break
		}
		raw, head = nil, head[:0]
	}
	m.scratch = head
	return !m.Done()
}

// message handles one line of a frame: the first lead bytes are its timestamp
// and level.
func (m *Monitor) message(st *stream, at time.Duration, raw []byte, f *defmt.Frame, b []byte, lead int, continued bool) {
	st.split.number++
	shown, plain := text(b, m.opt.KeepColor)
	// Timestamp and level are letters and digits in every sane program; where
	// they are not, they stay part of the message.
	stamp := 0
	if plain == shown && len(plain) == len(b) && lead <= len(plain) {
		stamp = len(f.Timestamp)
	} else {
		lead = 0
	}
	if continued {
		stamp = 0
	}
	line := Line{
		Stream: st.name, At: at, Number: st.split.number, Text: shown, Raw: raw, End: Newline, Continued: continued,
		Logged: true, Level: f.Level, Stamp: shown[:stamp], Message: shown[lead:], Place: f.Place,
	}
	var before, after *Report
	line.Class, before, after = m.classify(st, lineInfo{stream: st.name, text: plain[lead:], number: line.Number, at: at})
	if m.deliver(st, before); m.Done() {
		return
	}
	defer m.deliver(st, after)
	m.give(&line, plain)
}
