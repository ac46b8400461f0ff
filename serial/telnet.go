package serial

import "encoding/binary"

// Telnet, RFC 854, and its COM-PORT-OPTION, RFC 2217.
const (
	telIAC  = 255
	telDONT = 254
	telDO   = 253
	telWONT = 252
	telWILL = 251
	telSB   = 250
	telSE   = 240

	optBinary  = 0
	optEcho    = 1
	optSGA     = 3
	optComPort = 44

	comSignature    = 0
	comSetBaud      = 1
	comSetDataSize  = 2
	comSetParity    = 3
	comSetStopSize  = 4
	comSetControl   = 5
	comLineState    = 6
	comModemState   = 7
	comSuspend      = 8
	comResume       = 9
	comSetLineMask  = 10
	comSetModemMask = 11
	comPurge        = 12
	comServer       = 100 // added to the command by the access server

	ctlAskFlow  = 0
	ctlNoFlow   = 1
	ctlAskBreak = 4
	ctlBreakOn  = 5
	ctlBreakOff = 6
	ctlAskDTR   = 7
	ctlDTROn    = 8
	ctlDTROff   = 9
	ctlAskRTS   = 10
	ctlRTSOn    = 11
	ctlRTSOff   = 12
)

// telnetEvent is one thing that came over the line.
type telnetEvent struct {
	data    []byte // user bytes, when verb is 0
	verb    byte   // WILL, WONT, DO, DONT or SB
	option  byte
	command byte // of the COM-PORT-OPTION, for SB
	value   []byte
}

// largestSub bounds a subnegotiation: those of RFC 2217 have a few bytes, and
// a signature is a line of text.
const largestSub = 1024

// telnet takes a byte stream apart. The zero value is ready.
type telnet struct {
	state byte // 0 data, 1 after IAC, 2 after a verb, 3 in a subnegotiation, 4 after IAC in one
	verb  byte
	sub   []byte
}

// feed returns the events of p, in order. Their slices are valid until p is
// changed or feed is called again.
func (t *telnet) feed(p []byte) []telnetEvent {
	var out []telnetEvent
	start := -1 // of user bytes in p
	flush := func(end int) {
		if start >= 0 && end > start {
			out = append(out, telnetEvent{data: p[start:end]})
		}
		start = -1
	}
	for i, b := range p {
		switch t.state {
		case 0:
			if b == telIAC {
				flush(i)
				t.state = 1
			} else if start < 0 {
				start = i
			}
		case 1:
			t.state = 0
			switch b {
			case telIAC: // an escaped 0xff: this byte is data
				start = i
				flush(i + 1)
			case telWILL, telWONT, telDO, telDONT:
				t.state, t.verb = 2, b
			case telSB:
				t.state, t.sub = 3, t.sub[:0]
			}
		case 2:
			t.state = 0
			out = append(out, telnetEvent{verb: t.verb, option: b})
		case 3:
			if b == telIAC {
				t.state = 4
			} else if len(t.sub) < largestSub {
				t.sub = append(t.sub, b)
			}
		case 4:
			switch b {
			case telIAC:
				t.state = 3
				if len(t.sub) < largestSub {
					t.sub = append(t.sub, b)
				}
			case telSE:
				t.state = 0
				if len(t.sub) >= 2 {
					out = append(out, telnetEvent{verb: telSB, option: t.sub[0], command: t.sub[1], value: append([]byte(nil), t.sub[2:]...)})
				}
			default: // not a way to end one: what follows is data again
				t.state = 0
			}
		}
	}
	flush(len(p))
	return out
}

// escape doubles every 0xff of user bytes.
func escape(dst, p []byte) []byte {
	for _, b := range p {
		if b == telIAC {
			dst = append(dst, telIAC)
		}
		dst = append(dst, b)
	}
	return dst
}

// comPort is a subnegotiation of the COM-PORT-OPTION.
func comPort(dst []byte, command byte, value ...byte) []byte {
	dst = append(dst, telIAC, telSB, optComPort, command)
	dst = escape(dst, value)
	return append(dst, telIAC, telSE)
}

func baudValue(baud int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(baud)) }
