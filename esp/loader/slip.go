package loader

// SLIP, RFC 1055.
const (
	slipEnd    = 0xc0
	slipEsc    = 0xdb
	slipEscEnd = 0xdc
	slipEscEsc = 0xdd
)

// largestFrame bounds a frame from the chip: the stub's largest block of
// READ_FLASH and a header.
const largestFrame = 0x4000 + 64

// appendSLIP appends p as one frame.
func appendSLIP(dst, p []byte) []byte {
	dst = append(dst, slipEnd)
	for _, b := range p {
		switch b {
		case slipEnd:
			dst = append(dst, slipEsc, slipEscEnd)
		case slipEsc:
			dst = append(dst, slipEsc, slipEscEsc)
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, slipEnd)
}

// unslip finds frames in a byte stream. What is between frames, such as the
// text of a boot, is kept for the person who must find out what went on.
type unslip struct {
	frame  []byte
	in     bool // a frame has begun
	escape bool
	bad    bool
	text   []byte // bytes outside of frames, the first
}

// keepText is how much of a boot log is kept.
const keepText = 4096

// feed takes one byte and returns a frame when it ends one. The slice is valid
// until the next call.
//
// An END may be the end of a frame or the start of the next; after noise the
// two are confused, so an END that closes something always opens something,
// and empty frames are nothing.
func (u *unslip) feed(b byte) ([]byte, bool) {
	if b == slipEnd {
		frame, bad := u.frame, u.bad || u.escape
		whole := u.in && !bad && len(frame) > 0
		u.in, u.escape, u.bad = true, false, false
		u.frame = u.frame[:0]
		return frame, whole
	}
	if !u.in {
		u.outside(b)
		return nil, false
	}
	switch {
	case u.escape && b == slipEscEnd:
		b = slipEnd
	case u.escape && b == slipEscEsc:
		b = slipEsc
	case u.escape:
		u.bad = true
	case b == slipEsc:
		u.escape = true
		return nil, false
	}
	u.escape = false
	// Every frame of the chip starts with 0x01, but for those of READ_FLASH
	// and the stub's greeting; text after a frame is not one.
	if len(u.frame) == largestFrame {
		u.bad = true
		return nil, false
	}
	u.frame = append(u.frame, b)
	return nil, false
}

func (u *unslip) outside(b byte) {
	if len(u.text) < keepText {
		u.text = append(u.text, b)
	}
}

// restart forgets a frame that has begun: the chip starts anew.
func (u *unslip) restart() {
	u.in, u.escape, u.bad = false, false, false
	u.frame, u.text = u.frame[:0], u.text[:0]
}
