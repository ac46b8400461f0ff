package dot11

import "encoding/binary"

// Addr is a MAC address.
type Addr [6]byte

// Broadcast returns the broadcast address.
func Broadcast() Addr { return Addr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff} }

// Group reports whether the address is a multicast or broadcast address.
func (a Addr) Group() bool { return a[0]&1 != 0 }

// Types of frames, 9.2.4.1.3.
const (
	Management = 0
	Control    = 1
	Data       = 2
)

// Subtypes of management frames.
const (
	AssocRequest   = 0
	AssocResponse  = 1
	ReassocRequest = 2
	ReassocReply   = 3
	ProbeRequest   = 4
	ProbeResponse  = 5
	Beacon         = 8
	Disassociation = 10
	Authentication = 11
	Deauth         = 12
	Action         = 13
)

// Subtypes of control and data frames. QoS and null are bits of data subtypes; a
// frame with null carries no data.
const (
	PSPoll = 10
	ACK    = 13
	null   = 4
	QoS    = 8
)

// Bits of the Frame Control field.
const (
	ToDS      = 1 << 8
	FromDS    = 1 << 9
	MoreFrag  = 1 << 10
	Retry     = 1 << 11
	PowerMgmt = 1 << 12
	MoreData  = 1 << 13
	Protected = 1 << 14
	Order     = 1 << 15
)

// HeaderSize is the length of a management frame's header and of that of a data
// frame with three addresses and without QoS.
const HeaderSize = 24

// Frame is an MPDU without FCS. Its methods may be called if Valid returns true.
type Frame []byte

// Valid reports whether the frame contains its header. Every method can be called
// on a valid management or data frame; on a control frame only FrameControl, Type,
// Subtype and A1.
func (f Frame) Valid() bool { return len(f) >= 10 && len(f) >= f.HeaderLen() }

// FrameControl returns the Frame Control field; 0x0208 is the bytes 08 02.
func (f Frame) FrameControl() uint16 { return binary.LittleEndian.Uint16(f) }

// Type and Subtype return the fields of Frame Control.
func (f Frame) Type() int    { return int(f[0] >> 2 & 3) }
func (f Frame) Subtype() int { return int(f[0] >> 4) }

// Is reports whether the frame is a management frame of a subtype.
func (f Frame) Is(subtype int) bool { return f.Type() == Management && f.Subtype() == subtype }

// Has reports whether a bit of Frame Control is set.
func (f Frame) Has(bit uint16) bool { return f.FrameControl()&bit != 0 }

// HasData reports whether this is a data frame with a body.
func (f Frame) HasData() bool { return f.Type() == Data && f.Subtype()&null == 0 }

// QoS reports whether this is a data frame with a QoS Control field.
func (f Frame) QoS() bool { return f.Type() == Data && f.Subtype()&QoS != 0 }

// HeaderLen returns the length of the MAC header according to Frame Control,
// 9.2.3 and 9.3.
func (f Frame) HeaderLen() int {
	switch f.Type() {
	case Control:
		if f.Subtype() == PSPoll {
			return 16
		}
		return 10
	case Data:
		n := HeaderSize
		if f.Has(ToDS) && f.Has(FromDS) {
			n += 6
		}
		if f.QoS() {
			n += 2
			if f.Has(Order) {
				n += 4
			}
		}
		return n
	}
	if f.Has(Order) {
		return HeaderSize + 4
	}
	return HeaderSize
}

// A1, A2 and A3 return the address fields.
func (f Frame) A1() Addr { return Addr(f[4:10]) }
func (f Frame) A2() Addr { return Addr(f[10:16]) }
func (f Frame) A3() Addr { return Addr(f[16:22]) }

// Sequence returns the Sequence Control field: the number in bits 15:4, the fragment
// in 3:0.
func (f Frame) Sequence() uint16 { return binary.LittleEndian.Uint16(f[22:]) }

// TID returns the traffic identifier of a QoS frame, else 0.
func (f Frame) TID() byte {
	if !f.QoS() {
		return 0
	}
	return f[f.qosOffset()] & 15
}

func (f Frame) qosOffset() int {
	if f.Has(ToDS) && f.Has(FromDS) {
		return 30
	}
	return 24
}

// Body returns the bytes after the header.
func (f Frame) Body() []byte { return f[f.HeaderLen():] }

// AppendHeader appends a header with three addresses.
func AppendHeader(b []byte, control uint16, a1, a2, a3 Addr, sequence uint16) []byte {
	b = binary.LittleEndian.AppendUint16(b, control)
	b = append(b, 0, 0) // Duration/ID: virtual carrier sense is not simulated
	b = append(b, a1[:]...)
	b = append(b, a2[:]...)
	b = append(b, a3[:]...)
	return binary.LittleEndian.AppendUint16(b, sequence)
}

// ManagementControl returns the Frame Control of a management frame.
func ManagementControl(subtype int) uint16 { return uint16(subtype) << 4 }

// DataControl returns the Frame Control of a data frame from the distribution
// system.
func DataControl(qos, protected bool) uint16 {
	c := uint16(Data<<2 | FromDS)
	if qos {
		c |= QoS << 4
	}
	if protected {
		c |= Protected
	}
	return c
}
