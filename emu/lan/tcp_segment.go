package lan

import (
	"encoding/binary"
	"net/netip"
)

const tcpHeader = 20

// Control bits (RFC 9293 3.1).
const (
	tcpFIN = 1 << iota
	tcpSYN
	tcpRST
	tcpPSH
	tcpACK
)

// segment is a view of a TCP segment.
type segment struct {
	src, dst netip.AddrPort
	seq, ack uint32
	flags    byte
	window   uint32
	mss      int // of the option; 0 when not given
	data     []byte
}

// length is the length in the sequence space (SEG.LEN).
func (s *segment) length() uint32 {
	n := uint32(len(s.data))
	if s.flags&tcpSYN != 0 {
		n++
	}
	if s.flags&tcpFIN != 0 {
		n++
	}
	return n
}

func parseTCP(p packet) (segment, bool) {
	b := p.payload
	if len(b) < tcpHeader || checksum(pseudo(p.src, p.dst, protoTCP, len(b)), b) != 0 {
		return segment{}, false
	}
	header := int(b[12]>>4) * 4
	if header < tcpHeader || header > len(b) {
		return segment{}, false
	}
	s := segment{
		src: netip.AddrPortFrom(p.src, binary.BigEndian.Uint16(b)),
		dst: netip.AddrPortFrom(p.dst, binary.BigEndian.Uint16(b[2:])),
		seq: binary.BigEndian.Uint32(b[4:]), ack: binary.BigEndian.Uint32(b[8:]),
		flags: b[13], window: uint32(binary.BigEndian.Uint16(b[14:])), data: b[header:],
	}
	for o := b[tcpHeader:header]; len(o) > 0 && o[0] != 0; {
		if o[0] == 1 {
			o = o[1:]
			continue
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			break // RFC 9293 MUST-7: the rest is not readable, the segment is
		}
		if o[0] == 2 && o[1] == 4 {
			s.mss = int(binary.BigEndian.Uint16(o[2:]))
		}
		o = o[o[1]:]
	}
	return s, true
}

func appendTCP(b []byte, s segment) []byte {
	at := len(b)
	b = binary.BigEndian.AppendUint16(b, s.src.Port())
	b = binary.BigEndian.AppendUint16(b, s.dst.Port())
	b = binary.BigEndian.AppendUint32(b, s.seq)
	b = binary.BigEndian.AppendUint32(b, s.ack)
	words := byte(tcpHeader / 4)
	if s.mss > 0 {
		words++
	}
	b = append(b, words<<4, s.flags)
	b = binary.BigEndian.AppendUint16(b, uint16(min(s.window, 0xffff)))
	b = append(b, 0, 0, 0, 0)
	if s.mss > 0 {
		b = append(b, 2, 4)
		b = binary.BigEndian.AppendUint16(b, uint16(s.mss))
	}
	b = append(b, s.data...)
	binary.BigEndian.PutUint16(b[at+16:], checksum(pseudo(s.src.Addr(), s.dst.Addr(), protoTCP, len(b)-at), b[at:]))
	return b
}

// Sequence numbers are compared modulo 2^32 (RFC 9293 3.4).
func seqLess(a, b uint32) bool   { return int32(a-b) < 0 }
func seqLessEq(a, b uint32) bool { return int32(a-b) <= 0 }
