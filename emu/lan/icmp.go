package lan

import (
	"encoding/binary"
	"net/netip"
)

// Types of ICMP (RFC 792) and ICMPv6 (RFC 4443, 4861).
const (
	icmpEchoReply   = 0
	icmpUnreachable = 3
	icmpEcho        = 8

	icmp6Unreachable   = 1
	icmp6Echo          = 128
	icmp6EchoReply     = 129
	icmp6RouterSolicit = 133
	icmp6RouterAdvert  = 134
	icmp6Solicit       = 135
	icmp6Advert        = 136
)

// handleICMP4 answers echo requests.
func (n *Network) handleICMP4(p packet) {
	b := p.payload
	if len(b) < 8 || checksum(0, b) != 0 || b[0] != icmpEcho || !n.answersFor(p.dst) {
		return
	}
	reply := append([]byte{icmpEchoReply, 0, 0, 0}, b[4:]...)
	binary.BigEndian.PutUint16(reply[2:], checksum(0, reply))
	n.send(p.dst, p.src, protoICMP, reply)
}

// answersFor reports whether the router acts as the host with an address: its own
// addresses, hosts with a handler, and on an isolated network every host that is
// not a station.
func (n *Network) answersFor(a netip.Addr) bool {
	switch {
	case a == gateway4 || a == gateway6 || a == linkLocal:
		return true
	case a.IsMulticast() || a == broadcast4 || a == subnetBroadcast || a.IsUnspecified() || a.IsLoopback() || a.IsLinkLocalUnicast():
		return false
	case subnet4.Contains(a) || prefix6.Contains(a): // another station
		return false
	}
	return !n.hasOutside() || n.cfg.Handlers[a.String()] != nil || n.cfg.Handlers[n.dns.nameOf(a)] != nil
}

// refuse sends "port unreachable" for a UDP packet and quotes as much of it as
// fits.
func (n *Network) refuse(p packet) {
	quoted := p.whole
	if p.src.Is4() {
		if !n.answersFor(p.dst) {
			return
		}
		quoted = quoted[:min(len(quoted), ipv4Header+40+8)]
		b := append([]byte{icmpUnreachable, 3, 0, 0, 0, 0, 0, 0}, quoted...)
		binary.BigEndian.PutUint16(b[2:], checksum(0, b))
		n.send(p.dst, p.src, protoICMP, b)
		return
	}
	if !n.answersFor(p.dst) {
		return
	}
	quoted = quoted[:min(len(quoted), 1280-ipv6Header-8)]
	n.sendICMP6(p.dst, p.src, append([]byte{icmp6Unreachable, 4, 0, 0, 0, 0, 0, 0}, quoted...))
}

func (n *Network) sendICMP6(src, dst netip.Addr, b []byte) {
	binary.BigEndian.PutUint16(b[2:], checksum(pseudo(src, dst, protoICMPv6, len(b)), b))
	n.send(src, dst, protoICMPv6, b)
}

func (n *Network) handleICMP6(f ethernet, p packet) {
	b := p.payload
	if len(b) < 8 || checksum(pseudo(p.src, p.dst, protoICMPv6, len(b)), b) != 0 {
		return
	}
	switch b[0] {
	case icmp6Echo:
		if n.answersFor(p.dst) {
			n.sendICMP6(p.dst, p.src, append([]byte{icmp6EchoReply, 0, 0, 0}, b[4:]...))
		}
	case icmp6RouterSolicit:
		if p.hops == 255 {
			n.advertiseRouter(f, p)
		}
	case icmp6Solicit:
		if p.hops == 255 && len(b) >= 24 {
			n.advertiseNeighbour(f, p, netip.AddrFrom16([16]byte(b[8:24])))
		}
	}
}

// advertiseRouter announces the prefix for SLAAC and the name server (RFC 4861
// 4.2, RFC 8106). Lifetimes are infinite, so that an idle network sends nothing.
func (n *Network) advertiseRouter(f ethernet, p packet) {
	b := []byte{icmp6RouterAdvert, 0, 0, 0, hopLimit, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0}
	b = append(b, 1, 1)
	b = append(b, gatewayMAC[:]...)
	b = append(b, 5, 1, 0, 0, 0, 0, mtu>>8, mtu&0xff)
	b = append(b, 3, 4, 64, 0xc0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0)
	b = append(b, prefix6.Addr().AsSlice()...)
	b = append(b, 25, 3, 0, 0, 0xff, 0xff, 0xff, 0xff)
	b = append(b, gateway6.AsSlice()...)
	n.answerND(f, p, linkLocal, b)
}

// advertiseNeighbour answers a solicitation of the gateway (RFC 4861 4.4).
func (n *Network) advertiseNeighbour(f ethernet, p packet, target netip.Addr) {
	if target != gateway6 && target != linkLocal {
		return
	}
	b := append([]byte{icmp6Advert, 0, 0, 0, 0xe0, 0, 0, 0}, target.AsSlice()...)
	b = append(b, 2, 1)
	b = append(b, gatewayMAC[:]...)
	n.answerND(f, p, target, b)
}

// answerND answers the sender, or all nodes when the sender has no address yet.
func (n *Network) answerND(f ethernet, p packet, src netip.Addr, b []byte) {
	to, dst := f.src, p.src
	if dst.IsUnspecified() {
		to, dst = mac{0x33, 0x33, 0, 0, 0, 1}, allNodes
	}
	binary.BigEndian.PutUint16(b[2:], checksum(pseudo(src, dst, protoICMPv6, len(b)), b))
	n.sendTo(to, src, dst, protoICMPv6, b)
}
