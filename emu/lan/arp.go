package lan

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// arpPacket is ARP for IPv4 over Ethernet (RFC 826).
type arpPacket struct {
	op        uint16
	senderMAC mac
	sender    netip.Addr
	targetMAC mac
	target    netip.Addr
}

const (
	arpRequest = 1
	arpReply   = 2
	arpSize    = 28
)

func parseARP(b []byte) (arpPacket, bool) {
	if len(b) < arpSize || [6]byte(b[:6]) != [6]byte{0, 1, 8, 0, 6, 4} {
		return arpPacket{}, false
	}
	return arpPacket{
		op:        binary.BigEndian.Uint16(b[6:]),
		senderMAC: mac(b[8:14]), sender: netip.AddrFrom4([4]byte(b[14:18])),
		targetMAC: mac(b[18:24]), target: netip.AddrFrom4([4]byte(b[24:28])),
	}, true
}

func appendARP(b []byte, p arpPacket) []byte {
	b = append(b, 0, 1, 8, 0, 6, 4)
	b = binary.BigEndian.AppendUint16(b, p.op)
	b = append(b, p.senderMAC[:]...)
	b = append(b, p.sender.AsSlice()...)
	b = append(b, p.targetMAC[:]...)
	return append(b, p.target.AsSlice()...)
}

// handleARP answers for the gateway and for no other address: to a station that
// probes an address (RFC 5227), an answer means that the address is in use.
func (n *Network) handleARP(f ethernet) {
	p, ok := parseARP(f.payload)
	if !ok || p.senderMAC != f.src {
		return
	}
	if !p.sender.IsUnspecified() && isStation(p.sender) {
		n.neighbours.learn(p.sender, f.src)
	}
	if p.op == arpRequest && p.target == gateway4 {
		n.transmit(f.src, etherARP, appendARP(nil, arpPacket{arpReply, gatewayMAC, gateway4, p.senderMAC, p.sender}))
	}
}

// isStation reports whether a station can have an address.
func isStation(a netip.Addr) bool {
	if a.Is4() {
		return subnet4.Contains(a) && a != gateway4 && a != subnetBroadcast
	}
	return (prefix6.Contains(a) || a.IsLinkLocalUnicast()) && a != gateway6 && a != linkLocal
}

// neighbours maps the IP addresses of stations to their MAC addresses. It holds
// the most recent ones, so that a hostile station cannot fill the memory.
type neighbours struct{ list []neighbour }

type neighbour struct {
	addr netip.Addr
	mac  mac
}

const maxNeighbours = 256

func (t *neighbours) learn(a netip.Addr, m mac) {
	if i := t.index(a); i >= 0 {
		t.list[i].mac = m
		return
	}
	if len(t.list) == maxNeighbours {
		t.list = slices.Delete(t.list, 0, 1)
	}
	t.list = append(t.list, neighbour{a, m})
}

func (t *neighbours) find(a netip.Addr) (mac, bool) {
	if i := t.index(a); i >= 0 {
		return t.list[i].mac, true
	}
	return mac{}, false
}

func (t *neighbours) forget(a netip.Addr) {
	t.list = slices.DeleteFunc(t.list, func(e neighbour) bool { return e.addr == a })
}

func (t *neighbours) index(a netip.Addr) int {
	return slices.IndexFunc(t.list, func(e neighbour) bool { return e.addr == a })
}
