package lan

import (
	"net/netip"

	"espalier.dev/espalier/emu"
)

// Uplink connects a network with the outside. emu/lan/uplink implements it with
// the host's sockets. Its methods are called by the Network and must not block.
type Uplink interface {
	// Busy reports whether Poll may have something to deliver.
	Busy() bool
	// Poll delivers what has arrived since the last call.
	Poll(Inbound)
	// Datagram sends a UDP datagram of a station.
	Datagram(station, to netip.AddrPort, payload []byte)
	// Resolve asks for the addresses of a name; done is called from Poll.
	Resolve(name string, done func(addrs []netip.Addr, rcode byte))
	// Dial opens a connection for a station. The methods of s are called from
	// Poll.
	Dial(to netip.AddrPort, s Stream) Peer
}

// Peer is the outside end of a connection.
type Peer interface {
	// Write sends bytes; they are not kept. Pending returns how many are not
	// sent yet.
	Write(b []byte)
	Pending() int
	// CloseWrite says that no more will be written, Close that the connection
	// is over.
	CloseWrite()
	Close()
}

// Stream is the station's end of a connection, for the outside.
type Stream interface {
	// Connected says that the peer has accepted the connection.
	Connected()
	// Room returns how many bytes Deliver may be called with now.
	Room() int
	// Deliver sends bytes to the station; they are not kept.
	Deliver(b []byte)
	// EOF says that the peer has sent its last byte, Fail that the connection
	// failed or was refused.
	EOF()
	Fail()
}

// Inbound takes what the outside sends to stations.
type Inbound interface {
	// Datagram sends a UDP datagram to a station.
	Datagram(from, station netip.AddrPort, payload []byte)
	// Open opens a connection from p to a port of a station.
	Open(station netip.AddrPort, p Peer) Stream
	// Station returns the address of the first station, if there is one.
	Station() (netip.Addr, bool)
}

// uplinkPoll is the guest time between two calls of Uplink.Poll.
const uplinkPoll = emu.Millisecond

// hasOutside reports whether the guest can reach addresses outside the network.
func (n *Network) hasOutside() bool { return n.cfg.Uplink != nil && !n.cfg.Isolated }

func (n *Network) pollUplink() {
	if n.cfg.Uplink != nil {
		n.cfg.Uplink.Poll(inbound{n})
	}
}

// outsideAddr reports whether an address is outside of the network. Loopback
// addresses, which would be those of the host, are not.
func outsideAddr(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.Is4In6() && !subnet4.Contains(a) && !prefix6.Contains(a) && a != broadcast4
}

type inbound struct{ n *Network }

func (in inbound) Datagram(from, station netip.AddrPort, payload []byte) {
	if len(payload) <= mtu-ipv6Header-udpHeader && isStation(station.Addr()) {
		in.n.send(from.Addr(), station.Addr(), protoUDP, appendUDP(nil, from, station, payload))
	}
}

func (in inbound) Station() (netip.Addr, bool) {
	for _, e := range in.n.neighbours.list {
		if e.addr.Is4() {
			return e.addr, true
		}
	}
	return netip.Addr{}, false
}

func (in inbound) Open(station netip.AddrPort, p Peer) Stream {
	return in.n.tcp.activeOpen(station, p)
}
