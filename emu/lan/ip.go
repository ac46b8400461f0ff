package lan

import (
	"encoding/binary"
	"net/netip"
)

// Protocols.
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

const (
	ipv4Header = 20
	ipv6Header = 40
	hopLimit   = 64
)

// packet is a view of an IPv4 or IPv6 packet.
type packet struct {
	src, dst netip.Addr
	protocol byte
	hops     byte // time to live
	payload  []byte
	whole    []byte // with the header, for ICMP errors
}

// parseIPv4 checks length and checksum (RFC 791). Fragments are not accepted: the
// network has one link, so a station has no reason to send them.
func parseIPv4(b []byte) (packet, bool) {
	if len(b) < ipv4Header || b[0]>>4 != 4 {
		return packet{}, false
	}
	header := int(b[0]&15) * 4
	total := int(binary.BigEndian.Uint16(b[2:]))
	if header < ipv4Header || total < header || total > len(b) {
		return packet{}, false
	}
	if checksum(0, b[:header]) != 0 || binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
		return packet{}, false
	}
	return packet{
		src: netip.AddrFrom4([4]byte(b[12:16])), dst: netip.AddrFrom4([4]byte(b[16:20])),
		protocol: b[9], hops: b[8], payload: b[header:total], whole: b[:total],
	}, true
}

func appendIPv4(b []byte, src, dst netip.Addr, protocol byte, payload []byte) []byte {
	at := len(b)
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(ipv4Header+len(payload)))
	b = append(b, 0, 0, 0x40, 0, hopLimit, protocol, 0, 0) // don't fragment
	b = append(b, src.AsSlice()...)
	b = append(b, dst.AsSlice()...)
	binary.BigEndian.PutUint16(b[at+10:], checksum(0, b[at:]))
	return append(b, payload...)
}

// parseIPv6 skips hop-by-hop and destination options (RFC 8200).
func parseIPv6(b []byte) (packet, bool) {
	if len(b) < ipv6Header || b[0]>>4 != 6 {
		return packet{}, false
	}
	total := ipv6Header + int(binary.BigEndian.Uint16(b[4:]))
	if total > len(b) {
		return packet{}, false
	}
	p := packet{
		src: netip.AddrFrom16([16]byte(b[8:24])), dst: netip.AddrFrom16([16]byte(b[24:40])),
		protocol: b[6], hops: b[7], payload: b[ipv6Header:total], whole: b[:total],
	}
	for p.protocol == 0 || p.protocol == 60 { // hop-by-hop, destination options
		if len(p.payload) < 8 {
			return packet{}, false
		}
		size := 8 + int(p.payload[1])*8
		if size > len(p.payload) {
			return packet{}, false
		}
		p.protocol, p.payload = p.payload[0], p.payload[size:]
	}
	return p, true
}

func appendIPv6(b []byte, src, dst netip.Addr, protocol byte, payload []byte) []byte {
	limit := byte(hopLimit)
	if protocol == protoICMPv6 {
		limit = 255 // required by neighbour discovery (RFC 4861 7.1)
	}
	b = append(b, 0x60, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
	b = append(b, protocol, limit)
	b = append(b, src.AsSlice()...)
	b = append(b, dst.AsSlice()...)
	return append(b, payload...)
}

// checksum returns the internet checksum (RFC 1071) of b added to a partial sum.
// Over data that contains its own correct checksum it is 0.
func checksum(sum uint32, b []byte) uint16 {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// pseudo returns the partial sum of the pseudo-header (RFC 9293 3.1, RFC 8200 8.1).
func pseudo(src, dst netip.Addr, protocol byte, length int) uint32 {
	sum := uint32(protocol) + uint32(length)
	for _, a := range [...]netip.Addr{src, dst} {
		b := a.AsSlice()
		for i := 0; i < len(b); i += 2 {
			sum += uint32(b[i])<<8 | uint32(b[i+1])
		}
	}
	return sum
}
