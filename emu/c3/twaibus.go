package c3

import "espalier.dev/espalier/emu/chip"

// The protocol of TWAI0, ISO 11898-1: a controller follows all bits of the bus,
// those of its own frames too.

// Phases of the bus.
const (
	twIdle    = iota
	twFrame   // SOF to the CRC sequence, with stuff bits
	twTail    // CRC delimiter, ACK slot, ACK delimiter, EOF
	twFlag    // error flag
	twDelim   // error delimiter
	twSpace   // intermission, and suspension of a passive transmitter
	twRecover // bus-off: 128 times 11 recessive bits
)

// Types of errors, in ERR_CODE_CAP.
const (
	twBitError   = 0
	twFormError  = 1
	twStuffError = 2
	twOtherError = 3
)

// twaiBus is the state of the protocol. Bits are 1 when recessive.
type twaiBus struct {
	Phase    uint8
	Sampling bool      // the next step is the sample point
	Start    chip.Time // of the current bit
	Sending  bool      // this controller transmits the frame
	SelfRx   bool      // the frame is received, too
	Once     bool      // no retransmission
	Level    bool      // what this controller puts on the bus
	N        uint8     // bits of the phase
	Space    uint8     // bits that the intermission takes
	Out      [20]byte  // the frame to send, with stuff bits
	OutBits  uint8
	OutArb   uint8    // bits of it in which arbitration can be lost
	Pos      uint8    // next bit of it
	In       [16]byte // the frame without stuff bits
	InBits   uint8
	Same     uint8 // equal bits in a row
	Last     bool
	CRC      uint16 // of the bits in In
	Good     bool   // the received CRC is right
}

func (b *twaiBus) receiving() bool {
	return !b.Sending && (b.Phase == twFrame || b.Phase == twTail)
}

// bitTicks returns the duration of a bit: 1 + TSEG1 + TSEG2 time quanta, each of
// which is an even number of APB cycles.
func (p *twai) bitTicks() chip.Duration {
	t1 := p.get(twTiming1)
	return p.quantum() * chip.Duration(1+field(t1, 3, 0)+1+field(t1, 6, 4)+1)
}

func (p *twai) quantum() chip.Duration {
	return chip.Duration(2 * uint64(field(p.get(twTiming0), 13, 0)+1) * p.soc.apbTicks())
}

// rxChanged is called when the bus changes: a dominant bit while it is idle is the
// start of a frame.
func (p *twai) rxChanged(high bool) {
	b := &p.s.Bus
	if high || p.inReset() || b.Phase != twIdle {
		return
	}
	p.frame(false)
	b.Level, b.Sampling, b.Start = true, true, p.soc.m.Now()
	p.tick.Set(b.Start.Add(p.quantum() * chip.Duration(1+field(p.get(twTiming1), 3, 0)+1)))
}

// begin starts to transmit the frame in the buffer.
func (p *twai) begin() {
	p.encode()
	p.frame(true)
	p.s.Bus.Sampling, p.s.Bus.Start = false, p.soc.m.Now()
	p.tick.Set(p.s.Bus.Start)
}

// frame prepares for a frame.
func (p *twai) frame(send bool) {
	b := &p.s.Bus
	b.Phase, b.Sending, b.N, b.Pos = twFrame, send, 0, 0
	b.In, b.InBits, b.Same, b.Last, b.CRC, b.Good = [16]byte{}, 0, 0, true, 0, false
}

// step is the start of a bit or its sample point.
func (p *twai) step() {
	b := &p.s.Bus
	if b.Phase == twRecover {
		p.s.BusOff, p.s.TEC, p.s.REC = false, 0, 0
		b.Phase = twIdle
		p.raise(twIntWarn)
		return
	}
	if !b.Sampling {
		p.output()
		if p.s.Bus.Phase == twIdle {
			return
		}
		b.Sampling = true
		p.tick.Set(b.Start.Add(p.quantum() * chip.Duration(1+field(p.get(twTiming1), 3, 0)+1)))
		return
	}
	b.Sampling = false
	b.Start = b.Start.Add(p.bitTicks())
	p.tick.Set(b.Start)
	p.sampled(p.soc.gpio.input(sigTWAIRX))
	if b.Phase == twIdle {
		p.tick.Stop()
		if !p.s.TxFree {
			p.begin()
		}
	}
}

// output puts the next bit on the bus.
func (p *twai) output() {
	b := &p.s.Bus
	b.Level = true
	switch {
	case b.Phase == twFrame && b.Sending:
		b.Level = b.Out[b.Pos/8]<<(b.Pos%8)&0x80 != 0
	case b.Phase == twTail && b.N == 1 && !b.Sending: // ACK slot
		b.Level = !b.Good || p.has(twMode, twModeListen)
	case b.Phase == twFlag:
		b.Level = p.passive() || p.has(twMode, twModeListen)
	}
	p.soc.gpio.drive(sigTWAITX, b.Level)
}

// sampled acts on a bit of the bus.
func (p *twai) sampled(bit bool) {
	b := &p.s.Bus
	switch b.Phase {
	case twFrame:
		p.frameBit(bit)
	case twTail:
		p.tailBit(bit)
	case twFlag:
		if b.N++; b.N >= 6 {
			b.Phase, b.N = twDelim, 0
		}
	case twDelim: // eight recessive bits
		if b.N == 0 && !bit {
			return // others still send their flags
		}
		if b.N++; b.N == 8 {
			p.intermission()
		}
	case twSpace:
		if !bit && b.N >= 2 { // another controller starts
			p.frame(false)
			p.frameBit(bit)
			return
		}
		if b.N++; b.N >= b.Space {
			b.Phase = twIdle
		}
	}
}

func (p *twai) intermission() {
	b := &p.s.Bus
	b.Phase, b.N, b.Space = twSpace, 0, 3
	if b.Sending && p.passive() {
		b.Space += 8
	}
	b.Sending = false
}

// frameBit takes a bit of the part with stuff bits.
func (p *twai) frameBit(bit bool) {
	b := &p.s.Bus
	if b.Sending && bit != b.Level {
		if b.Pos >= b.OutArb || bit || b.Pos == 0 {
			p.failed(twBitError)
			return
		}
		b.Sending = false // lost arbitration: goes on as a receiver
		p.s.ArbCap = uint32(max(b.InBits, 1) - 1)
		p.raise(twIntArbLost)
		if b.Once {
			p.s.TxFree = true
		}
	}
	b.Pos++
	if b.Same == 5 { // a stuff bit
		if bit == b.Last {
			p.failed(twStuffError)
			return
		}
		b.Same, b.Last = 1, bit
	} else {
		if bit == b.Last {
			b.Same++
		} else {
			b.Same, b.Last = 1, bit
		}
		p.inBit(bit)
	}
	// The last bit of the CRC may be followed by a stuff bit.
	if n := b.length(); n != 0 && b.InBits == n && b.Same < 5 {
		b.Phase, b.N = twTail, 0
		b.Good = b.CRC == 0
	}
}

func (p *twai) inBit(bit bool) {
	b := &p.s.Bus
	v := uint16(0)
	if bit {
		v = 1
		b.In[b.InBits/8] |= 0x80 >> (b.InBits % 8)
	}
	b.InBits++
	b.CRC = twaiCRC(b.CRC, v)
}

// twaiCRC adds a bit to a CRC with the polynomial 0x4599.
func twaiCRC(crc, bit uint16) uint16 {
	if crc>>14&1^bit != 0 {
		return crc<<1&0x7fff ^ 0x4599
	}
	return crc << 1 & 0x7fff
}

// bits returns n bits of the frame from bit at on.
func (b *twaiBus) bits(at, n uint8) (v uint32) {
	for i := at; i < at+n; i++ {
		v = v<<1 | uint32(b.In[i/8]<<(i%8)>>7)
	}
	return v
}

// layout returns where the length code and the data begin, once they are known.
func (b *twaiBus) layout() (ext, remote bool, dlc, data uint8) {
	if b.InBits < 14 {
		return false, false, 0, 0
	}
	if ext = b.bits(13, 1) != 0; ext {
		return ext, b.bits(32, 1) != 0, 35, 39
	}
	return ext, b.bits(12, 1) != 0, 15, 19
}

// length returns the bits up to the end of the CRC, 0 when that is not known yet.
func (b *twaiBus) length() uint8 {
	_, remote, dlc, data := b.layout()
	if data == 0 || b.InBits < data {
		return 0
	}
	n := uint8(min(b.bits(dlc, 4), 8)) * 8
	if remote {
		n = 0
	}
	return data + n + 15
}

// message returns the received frame as in the buffers.
func (b *twaiBus) message() (m twaiMessage) {
	ext, remote, dlc, data := b.layout()
	m.Bytes[0] = byte(b.bits(dlc, 4))
	if remote {
		m.Bytes[0] |= 1 << 6
	}
	at := 3
	if id := b.bits(1, 11); ext {
		m.Bytes[0] |= 1 << 7
		id = (id<<18 | b.bits(14, 18)) << 3
		m.Bytes[1], m.Bytes[2], m.Bytes[3], m.Bytes[4] = byte(id>>24), byte(id>>16), byte(id>>8), byte(id)
		at = 5
	} else {
		m.Bytes[1], m.Bytes[2] = byte(id>>3), byte(id<<5)
	}
	for i := 0; !remote && i < int(min(m.Bytes[0]&15, 8)); i++ {
		m.Bytes[at+i] = byte(b.bits(data+uint8(8*i), 8))
	}
	return m
}

// encode makes the bits of the frame in the transmit buffer.
func (p *twai) encode() {
	b := &p.s.Bus
	b.Out, b.OutBits, b.OutArb = [20]byte{}, 0, 0
	m := &p.s.Tx.Bytes
	crc, same, last := uint16(0), 0, uint16(1)
	raw := func(bit uint16) {
		if bit != 0 {
			b.Out[b.OutBits/8] |= 0x80 >> (b.OutBits % 8)
		}
		b.OutBits++
	}
	put := func(v uint32, n int) {
		for i := n - 1; i >= 0; i-- {
			bit := uint16(v >> i & 1)
			crc = twaiCRC(crc, bit)
			if raw(bit); bit == last {
				same++
			} else {
				same, last = 1, bit
			}
			if same == 5 {
				last ^= 1
				same = 1
				raw(last)
			}
		}
	}
	rtr := uint32(m[0] >> 6 & 1)
	dlc, at := uint32(m[0]&15), 3
	put(0, 1)
	if m[0]>>7 == 0 {
		put(uint32(m[1])<<3|uint32(m[2])>>5, 11)
		put(rtr, 1)
		b.OutArb = b.OutBits
		put(0, 2)
	} else {
		id := (uint32(m[1])<<24 | uint32(m[2])<<16 | uint32(m[3])<<8 | uint32(m[4])) >> 3
		put(id>>18, 11)
		put(3, 2)
		put(id, 18)
		put(rtr, 1)
		b.OutArb, at = b.OutBits, 5
		put(0, 2)
	}
	put(dlc, 4)
	for i := 0; rtr == 0 && i < int(min(dlc, 8)); i++ {
		put(uint32(m[at+i]), 8)
	}
	put(uint32(crc), 15)
}

// tailBit takes a bit of the part without stuff bits.
func (p *twai) tailBit(bit bool) {
	b := &p.s.Bus
	b.N++
	switch n := b.N - 1; {
	case n == 0 && !bit, n == 2 && !bit:
		p.failed(twFormError)
	case n == 1 && b.Sending && bit && !p.has(twMode, twModeSelf):
		p.failed(twOtherError) // not acknowledged
	case n == 2 && !b.Sending && !b.Good:
		p.failed(twOtherError) // CRC
	case n == 8 && !b.Sending && bit: // the last bit but one of EOF
		p.count(0, -1)
		p.accept(b.message())
	case n > 2 && !bit && n < 9:
		p.failed(twFormError)
	case n == 9:
		if b.Sending {
			p.sent()
		}
		p.intermission()
	}
}

// sent ends a successful transmission.
func (p *twai) sent() {
	p.count(-1, 0)
	p.s.TxFree, p.s.Complete = true, true
	if p.s.Bus.SelfRx {
		p.accept(p.s.Bus.message())
	}
	p.raise(twIntTx)
}

// failed ends a frame with an error flag.
func (p *twai) failed(kind uint32) {
	b := &p.s.Bus
	p.s.ErrCap = kind<<6 | uint32(b.InBits)&0x1f
	if !b.Sending {
		p.s.ErrCap |= 1 << 5
	}
	p.raise(twIntBusErr)
	sending := b.Sending
	b.Phase, b.N = twFlag, 0
	switch {
	case !sending:
		p.count(0, 1)
	case kind == twOtherError && p.passive(): // no acknowledgement: the counter stays
	default:
		p.count(8, 0)
	}
	if sending && b.Once && !p.s.BusOff {
		p.s.TxFree = true
		p.raise(twIntTx)
	}
}
