package parts

import (
	"fmt"

	"espalier.dev/espalier/emu"
)

// CANFrame is a data or remote frame.
type CANFrame struct {
	ID       uint32 // 11 bits, or 29 with Extended
	Extended bool
	Remote   bool
	Data     []byte // at most 8; of a remote frame only the length counts
}

// TWAI is a transceiver and another node on its CAN bus: it acknowledges what it
// receives, and sends. Bits are those of ISO 11898-1 (CAN 2.0 B): stuffing,
// arbitration, CRC, acknowledgement, active error flags. The node has no error
// counters: it never becomes passive.
type TWAI struct {
	// TX is the pin on which the chip sends, RX the one on which it receives.
	TX, RX  int
	BitRate int // 500000 if 0
	// Silent nodes neither acknowledge nor signal errors.
	Silent bool
	// Received, if not nil, is called for each frame of the chip. It may call Send.
	Received func(CANFrame)

	tx, rx *emu.Terminal
	clock  *emu.Timer
	period emu.Duration
	queue  []canBits
	s      canState
}

// canBits are the bits of a frame from SOF to the CRC, without stuffing.
type canBits struct {
	Bits [canMaxBits]uint8
	N    uint8
}

// canMaxBits: SOF, 39 bits less one of an extended header, 64 of data, 15 of CRC.
const canMaxBits = 128

type canPhase uint8

const (
	canIdle canPhase = iota // the bus is free
	canFrame
	canCRCDelimiter
	canACK
	canACKDelimiter
	canEnd   // seven recessive bits
	canError // an error flag of six dominant bits
	canWait  // for eight recessive bits
	canGap   // intermission
)

type canState struct {
	Phase   canPhase
	Count   uint8 // bits of the phase so far
	In      canBits
	Last    uint8 // level and length of the current run of equal bits
	Run     uint8
	Want    uint8 // bits of the frame, 0 while they are not known
	Good    bool  // the CRC is right
	Sending bool
	Out     uint8 // level that the node drives: 1 is recessive
	Sampled bool  // the next event of the clock is the beginning of a bit
	Errors  uint64
	Sent    uint64
}

// canSample is the sample point, in eighths of a bit.
const canSample = 6

// Attach implements emu.Part. The error is of a bit rate that CAN does not have.
func (n *TWAI) Attach(b *emu.Board) error {
	if n.BitRate == 0 {
		n.BitRate = 500_000
	}
	if n.BitRate < 1000 || n.BitRate > 1_000_000 {
		return fmt.Errorf("CAN bus with %d bit/s: want 1000 to 1000000", n.BitRate)
	}
	n.period = emu.Duration(emu.TicksPerSecond / uint64(n.BitRate))
	n.s.Out, n.s.Last = 1, 1
	n.tx = b.NewTerminal(func(high bool) { n.changed() })
	n.rx = b.NewTerminal(nil)
	n.clock = b.NewTimer(n.tick)
	b.AddStateFunc(n.state)
	n.tx.Drive(rail(true, 50_000)) // the pull-up of a transceiver's input
	n.rx.Drive(rail(true, spiOhms))
	b.Join(n.tx.Pin(), n.TX)
	b.Join(n.rx.Pin(), n.RX)
	return nil
}

func (n *TWAI) state(s *emu.State) {
	s.Fixed(&n.s)
	count := uint32(len(n.queue))
	s.Fixed(&count)
	if s.Loading() {
		n.queue = nil
	}
	for i := uint32(0); i < count && s.Err() == nil; i++ {
		var f canBits
		if !s.Loading() {
			f = n.queue[i]
		}
		s.Fixed(&f)
		if s.Loading() {
			n.queue = append(n.queue, f)
		}
	}
}

// Send sends a frame when the bus is free, after those that are waiting. The error
// is of a frame that does not exist.
func (n *TWAI) Send(f CANFrame) error {
	bits, err := f.bits()
	if err != nil {
		return err
	}
	n.queue = append(n.queue, bits)
	if n.s.Phase == canIdle && !n.clock.Armed() {
		n.s.Sampled = true
		n.clock.Set(emu.At(n.tx.Now()).Add(n.period))
	}
	return nil
}

// Errors returns how many errors the node has signalled, Sent how many of its
// frames were acknowledged.
func (n *TWAI) Errors() uint64 { return n.s.Errors }

// Sent returns how many frames of the node were acknowledged.
func (n *TWAI) Sent() uint64 { return n.s.Sent }

// bits encodes a frame, ISO 11898-1 section 10.4.
func (f CANFrame) bits() (b canBits, err error) {
	if len(f.Data) > 8 || f.ID >= 1<<29 || !f.Extended && f.ID >= 1<<11 {
		return b, fmt.Errorf("no CAN frame: identifier 0x%x, %d bytes", f.ID, len(f.Data))
	}
	put := func(v uint32, bits int) {
		for i := bits - 1; i >= 0; i-- {
			b.Bits[b.N] = uint8(v >> i & 1)
			b.N++
		}
	}
	remote := uint32(0)
	if f.Remote {
		remote = 1
	}
	put(0, 1)
	if f.Extended {
		put(f.ID>>18, 11)
		put(3, 2) // SRR, IDE
		put(f.ID&(1<<18-1), 18)
		put(remote<<2, 3)
	} else {
		put(f.ID, 11)
		put(remote<<2, 3)
	}
	put(uint32(len(f.Data)), 4)
	if !f.Remote {
		for _, d := range f.Data {
			put(uint32(d), 8)
		}
	}
	put(uint32(b.crc(b.N)), 15)
	return b, nil
}

// crc is the CRC of the first n bits: polynomial 0x4599.
func (b *canBits) crc(n uint8) (crc uint16) {
	for _, bit := range b.Bits[:n] {
		next := uint16(bit) ^ crc>>14&1
		crc = crc << 1 & 0x7fff
		if next != 0 {
			crc ^= 0x4599
		}
	}
	return crc
}

func (b *canBits) field(from, n int) (v uint32) {
	for _, bit := range b.Bits[from : from+n] {
		v = v<<1 | uint32(bit)
	}
	return v
}

// length returns how many bits come before the data, and how many the frame has
// with its CRC; 0 while too few are known.
func (b *canBits) length() (header, total uint8) {
	switch {
	case b.N < 14:
		return 0, 0
	case b.Bits[13] == 0:
		header = 19
	default:
		header = 39
	}
	if b.N < header {
		return 0, 0
	}
	remote := b.Bits[header-7]
	length := min(b.field(int(header)-4, 4), 8)
	if remote != 0 {
		length = 0
	}
	return header, header + uint8(8*length) + 15
}

// frame decodes the bits of a complete frame.
func (b *canBits) frame() (f CANFrame) {
	header, _ := b.length()
	f.ID = b.field(1, 11)
	if f.Extended = header == 39; f.Extended {
		f.ID = f.ID<<18 | b.field(14, 18)
	}
	f.Remote = b.Bits[header-7] != 0
	f.Data = make([]byte, min(b.field(int(header)-4, 4), 8))
	if !f.Remote {
		for i := range f.Data {
			f.Data[i] = byte(b.field(int(header)+8*i, 8))
		}
	}
	return f
}

// bus returns the level of the bus, 0 dominant.
func (n *TWAI) bus() uint8 {
	if n.tx.High() {
		return n.s.Out
	}
	return 0
}

// changed is called when the chip or the node drives the bus to another level: an
// edge to dominant synchronizes the clock of the node, unless it is the node's own.
func (n *TWAI) changed() {
	level := n.bus()
	before := n.rx.High()
	n.rx.Drive(rail(level != 0, spiOhms))
	if level != 0 || !before || n.s.Out == 0 {
		return
	}
	now := emu.At(n.rx.Now())
	switch {
	case n.s.Phase == canIdle || n.s.Phase == canGap && n.s.Count >= 2:
		n.begin(false)
	case n.s.Sampled: // the bit began early
		n.start()
	}
	n.s.Sampled = false
	n.clock.Set(now.Add(n.period * canSample / 8))
}

// begin is a start of frame.
func (n *TWAI) begin(send bool) {
	n.s.Phase, n.s.Count, n.s.Want, n.s.Sending = canFrame, 0, 0, send
	n.s.In.N, n.s.Run, n.s.Last = 0, 0, 1
}

func (n *TWAI) drive(level uint8) {
	if level != n.s.Out {
		n.s.Out = level
		n.changed()
	}
}

// tick is the beginning of a bit, or its sample point.
func (n *TWAI) tick() {
	now := emu.At(n.rx.Now())
	if n.s.Sampled {
		n.s.Sampled = false
		n.clock.Set(now.Add(n.period * canSample / 8))
		n.start()
		return
	}
	n.s.Sampled = true
	n.clock.Set(now.Add(n.period - n.period*canSample/8))
	n.sample(n.bus())
	if n.s.Phase == canIdle && len(n.queue) == 0 {
		n.clock.Stop()
	}
}

// start drives the bus for the bit that begins.
func (n *TWAI) start() {
	s := &n.s
	switch s.Phase {
	case canIdle:
		if len(n.queue) > 0 && n.bus() != 0 {
			n.begin(true)
			n.drive(0)
		}
	case canFrame:
		switch {
		case !s.Sending:
			n.drive(1)
		case s.Run == 5:
			n.drive(1 - s.Last)
		default:
			n.drive(n.queue[0].Bits[s.In.N])
		}
	case canACK:
		if s.Good && !s.Sending && !n.Silent {
			n.drive(0)
		} else {
			n.drive(1)
		}
	case canError:
		n.drive(0)
	default:
		n.drive(1)
	}
}

// sample takes the level of a bit.
func (n *TWAI) sample(level uint8) {
	s := &n.s
	s.Count++
	switch s.Phase {
	case canFrame:
		n.frameBit(level)
	case canCRCDelimiter:
		if level == 0 {
			n.fail()
			return
		}
		s.Phase = canACK
	case canACK:
		if s.Sending && level != 0 {
			n.fail() // no acknowledgement
			return
		}
		s.Phase = canACKDelimiter
	case canACKDelimiter:
		if level == 0 || !s.Good {
			n.fail()
			return
		}
		s.Phase, s.Count = canEnd, 0
	case canEnd:
		if level == 0 {
			n.fail()
			return
		}
		if s.Count == 7 {
			n.complete()
		}
	case canError:
		if s.Count >= 6 {
			s.Phase, s.Count = canWait, 0
		}
	case canWait:
		if level == 0 {
			s.Count = 0
		} else if s.Count >= 8 {
			s.Phase, s.Count = canGap, 0
		}
	case canGap:
		if level == 0 {
			s.Count = 0
		} else if s.Count >= 3 {
			s.Phase = canIdle
		}
	}
}

// frameBit takes a bit between SOF and the end of the CRC.
func (n *TWAI) frameBit(level uint8) {
	s := &n.s
	if s.In.N == 0 && level != 0 && !s.Sending { // a pulse that ended before the sample point
		s.Phase = canIdle
		return
	}
	if s.Sending && level != s.Out {
		// A recessive bit that another node overwrites: arbitration, up to RTR or IDE.
		if s.Out != 0 && s.In.N > 0 && s.In.N < n.arbitration() && s.Run != 5 {
			s.Sending = false
		} else {
			n.fail()
			return
		}
	}
	if s.Run == 5 { // a stuff bit
		if level == s.Last {
			n.fail()
			return
		}
		s.Last, s.Run = level, 1
		if s.Want != 0 && s.In.N == s.Want {
			s.Phase = canCRCDelimiter
		}
		return
	}
	if level == s.Last {
		s.Run++
	} else {
		s.Last, s.Run = level, 1
	}
	s.In.Bits[s.In.N] = level
	s.In.N++
	if s.Want == 0 {
		_, s.Want = s.In.length()
	}
	if s.Want == 0 || s.In.N < s.Want {
		return
	}
	s.Good = uint32(s.In.crc(s.Want-15)) == s.In.field(int(s.Want)-15, 15)
	if s.Run != 5 {
		s.Phase = canCRCDelimiter
	}
}

// arbitration returns how many bits of the frame that is sent take part in the
// arbitration.
func (n *TWAI) arbitration() uint8 {
	if n.queue[0].Bits[13] != 0 {
		return 33
	}
	return 13
}

// complete is the end of a frame.
func (n *TWAI) complete() {
	s := &n.s
	s.Phase, s.Count = canGap, 0
	if s.Sending {
		s.Sending = false
		s.Sent++
		n.queue = n.queue[1:]
		return
	}
	if n.Received != nil {
		n.Received(s.In.frame())
	}
}

// fail signals an error. A frame that was being sent is sent again.
func (n *TWAI) fail() {
	s := &n.s
	s.Sending = false
	s.Errors++
	s.Count = 0
	s.Phase = canError
	if n.Silent {
		s.Phase = canWait
	}
}
