package lan

import (
	"net/netip"

	"espalier.dev/espalier/emu"
)

// Uplink is the way out of the island: emu/lan/uplink provides one over the
// host's sockets. All its methods are called by the Network and return at once.
type Uplink interface {
	// Busy reports whether something may come in.
	Busy() bool
	// Poll hands over what has come in since.
	Poll(Inbound)
	// Datagram sends a UDP datagram of a station out.
	Datagram(station, to netip.AddrPort, payload []byte)
	// Resolve asks for the addresses of a name; done is called from Poll.
	Resolve(name string, done func(addrs []netip.Addr, rcode byte))
	// Dial opens a connection for a station; what becomes of it is told to s
	// from Poll.
	Dial(to netip.AddrPort, s Stream) Peer
}

// Peer is the outside end of a connection.
type Peer interface {
	// Write sends bytes out; they are not kept. Pending is how many have not
	// left yet.
	Write(b []byte)
	Pending() int
	// CloseWrite says that no more will come, Close that nobody cares any more.
	CloseWrite()
	Close()
}

// Stream is the station's end of a connection, for the outside.
type Stream interface {
	// Connected says that the other end is there.
	Connected()
	// Room is how many bytes may be given to Deliver now.
	Room() int
	// Deliver sends bytes to the station; they are not kept.
	Deliver(b []byte)
	// EOF says that no more will come, Fail that the connection broke, or
	// was refused when there never was a connection.
	EOF()
	Fail()
}

// Inbound takes what comes in without a question of a station.
type Inbound interface {
	// Datagram sends a UDP datagram to a station.
	Datagram(from, station netip.AddrPort, payload []byte)
	// Open makes a connection to a station; port is on it.
	Open(station netip.AddrPort, p Peer) Stream
	// Station returns the address of the first station, if there is one.
	Station() (netip.Addr, bool)
}

// uplinkPoll is how often the outside is asked, in guest time.
const uplinkPoll = emu.Millisecond

// outside reports whether the guest may leave the island.
func (n *Network) outside() bool { return n.cfg.Uplink != nil && !n.cfg.Isolated }

func (n *Network) pollUplink() {
	if n.cfg.Uplink != nil {
		n.cfg.Uplink.Poll(inbound{n})
	}
}

// leaves reports whether an address is outside, and nothing but outside: never
// the host itself by its loopback, never this network.
func leaves(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.Is4In6() && !subnet4.Contains(a) && !prefix6.Contains(a) && a != everybody4
}

type inbound struct{ n *Network }

func (in inbound) Datagram(from, station netip.AddrPort, payload []byte) {
	if len(payload) <= mtu-ipv6Header-udpHeader && onLink(station.Addr()) {
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
	return in.n.tcp.open(station, p)
}
