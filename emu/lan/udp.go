package lan

import (
	"encoding/binary"
	"net/netip"
)

const udpHeader = 8

// datagram is a view of a UDP datagram.
type datagram struct {
	src, dst netip.AddrPort
	payload  []byte
}

func parseUDP(p packet) (datagram, bool) {
	b := p.payload
	if len(b) < udpHeader {
		return datagram{}, false
	}
	length := int(binary.BigEndian.Uint16(b[4:]))
	if length < udpHeader || length > len(b) {
		return datagram{}, false
	}
	b = b[:length]
	// A datagram without checksum is allowed in IPv4 only.
	if sum := binary.BigEndian.Uint16(b[6:]); sum == 0 && p.src.Is6() || sum != 0 && checksum(pseudo(p.src, p.dst, protoUDP, length), b) != 0 {
		return datagram{}, false
	}
	return datagram{
		netip.AddrPortFrom(p.src, binary.BigEndian.Uint16(b)),
		netip.AddrPortFrom(p.dst, binary.BigEndian.Uint16(b[2:])), b[udpHeader:],
	}, true
}

func appendUDP(b []byte, src, dst netip.AddrPort, payload []byte) []byte {
	at := len(b)
	b = binary.BigEndian.AppendUint16(b, src.Port())
	b = binary.BigEndian.AppendUint16(b, dst.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(udpHeader+len(payload)))
	b = append(b, 0, 0)
	b = append(b, payload...)
	sum := checksum(pseudo(src.Addr(), dst.Addr(), protoUDP, len(b)-at), b[at:])
	if sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(b[at+6:], sum)
	return b
}

// Ports of the servers.
const (
	portEcho       = 7
	portDiscard    = 9
	portDNS        = 53
	portDHCPServer = 67
	portDHCPClient = 68
	portHTTP       = 80
	portHTTPS      = 443
	portNTP        = 123
)

// udpServers passes datagrams to the servers.
type udpServers struct{ n *Network }

func (t *udpServers) handle(f ethernet, p packet) {
	n := t.n
	d, ok := parseUDP(p)
	if !ok {
		return
	}
	if d.dst.Port() == portDHCPServer && p.src.Is4() {
		n.dhcp.handle(f, d)
		return
	}
	if f.dst.group() || !isStation(p.src) {
		return
	}
	answer := func(b []byte) {
		if b != nil && len(b) <= mtu-ipv6Header-udpHeader {
			n.send(d.dst.Addr(), d.src.Addr(), protoUDP, appendUDP(nil, d.dst, d.src, b))
		}
	}
	switch port := d.dst.Port(); {
	case port == portDNS && n.answersFor(p.dst):
		n.dns.handle(d, answer)
	case port == portNTP && n.answersFor(p.dst):
		answer(n.sntp(d.payload))
	case port == portEcho && n.answersFor(p.dst):
		b := append([]byte(nil), d.payload...)
		n.service(func() { answer(b) })
	case port == portDiscard && n.answersFor(p.dst):
	case n.hasOutside() && outsideAddr(p.dst):
		n.cfg.Uplink.Datagram(d.src, d.dst, d.payload)
	default:
		n.refuse(p)
	}
}
