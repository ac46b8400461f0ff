package lan

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/faults"
)

// Network is the router and the servers of an island. It is not safe for
// concurrent use, and must not be called from its own callbacks.
type Network struct {
	cfg    Config
	now    emu.Time
	timers timers

	in, out wire // from and to the stations
	deliver func(frame []byte)
	arrived [][]byte // frames towards stations that were due outside Advance

	neighbours neighbours
	dhcp       dhcpServer
	dns        dnsServer
	tcp        tcpTable
	udp        udpTable
	isn        *faults.Random
	tls        tlsTable
}

// New returns a network at guest time zero.
func New(cfg Config) (*Network, error) {
	if cfg.Epoch.IsZero() {
		cfg.Epoch = DefaultEpoch()
	}
	for name := range cfg.Names {
		if _, err := appendName(nil, name); err != nil {
			return nil, fmt.Errorf("host %q: %w", name, err)
		}
	}
	n := &Network{cfg: cfg, isn: faults.NewRandom(cfg.Seed, "tcp")}
	n.in = wire{n: n, random: faults.NewRandom(cfg.Seed, "to the router"), arrive: n.handle}
	n.out = wire{n: n, random: faults.NewRandom(cfg.Seed, "to the station"), arrive: n.emit, pace: framePace}
	n.dhcp.n, n.dns.n, n.tcp.n, n.udp.n, n.tls.n = n, n, n, n, n
	for _, f := range cfg.Faults {
		switch {
		case f.Kind == faults.TCPReset && f.From == f.To:
			n.timers.once(f.From, n.tcp.resetAll)
		case f.Kind == faults.LeaseChange:
			n.timers.once(f.From, n.dhcp.change)
		}
	}
	return n, nil
}

// Close ends the conversations of the TLS servers: each is a coroutine, which
// the garbage collector does not take away. The network is of no use afterwards.
func (n *Network) Close() {
	for _, c := range slices.Clone(n.tcp.order) {
		if _, ok := c.app.(*tlsServer); ok {
			c.finish(true)
		}
	}
}

// Receive takes an Ethernet frame from a station: destination, source, type,
// payload, without frame check sequence. The frame is not kept.
func (n *Network) Receive(now emu.Time, frame []byte) {
	n.runTo(now)
	n.now = max(n.now, now)
	n.in.send(frame)
	n.pollUplink()
}

// Next returns the instant at which Advance has something to do; it may have
// passed.
func (n *Network) Next() (emu.Time, bool) {
	if len(n.arrived) > 0 {
		return n.now, true
	}
	at, ok := n.timers.next()
	if n.cfg.Uplink != nil && n.cfg.Uplink.Busy() {
		if poll := n.now.Add(uplinkPoll); !ok || poll < at {
			at, ok = poll, true
		}
	}
	return at, ok
}

// Advance does what is due at now and hands the frames that reach the stations
// to deliver, which may keep them and must not call the Network.
func (n *Network) Advance(now emu.Time, deliver func(frame []byte)) {
	for _, f := range n.arrived {
		deliver(f)
	}
	n.arrived = nil
	n.deliver = deliver
	n.runTo(now)
	n.now = max(n.now, now)
	n.pollUplink()
	n.runTo(now)
	n.deliver = nil
}

func (n *Network) runTo(now emu.Time) {
	for {
		at, ok := n.timers.next()
		if !ok || at > now {
			return
		}
		n.now = max(n.now, at)
		n.timers.pop().do()
	}
}

// emit is the end of the wire towards the stations.
func (n *Network) emit(frame []byte) {
	n.capture(frame)
	if n.deliver != nil {
		n.deliver(frame)
		return
	}
	n.arrived = append(n.arrived, frame)
}

func (n *Network) capture(frame []byte) {
	if n.cfg.Capture != nil {
		n.cfg.Capture(n.now, frame)
	}
}

// handle is the end of the wire towards the router.
func (n *Network) handle(b []byte) {
	n.capture(b)
	f, ok := parseEthernet(b)
	if !ok || f.src.group() || f.dst != gatewayMAC && !f.dst.group() {
		return
	}
	switch f.etherType {
	case etherARP:
		n.handleARP(f)
	case etherIPv4:
		if p, ok := parseIPv4(f.payload); ok {
			n.handleIP(f, p)
		}
	case etherIPv6:
		if p, ok := parseIPv6(f.payload); ok {
			n.handleIP(f, p)
		}
	}
}

func (n *Network) handleIP(f ethernet, p packet) {
	if !p.src.IsUnspecified() && !p.src.IsMulticast() && onLink(p.src) {
		n.neighbours.learn(p.src, f.src)
	}
	switch p.protocol {
	case protoICMP:
		if p.src.Is4() {
			n.handleICMP4(p)
		}
	case protoICMPv6:
		if p.src.Is6() {
			n.handleICMP6(f, p)
		}
	case protoUDP:
		n.udp.handle(f, p)
	case protoTCP:
		if !f.dst.group() && onLink(p.src) {
			n.tcp.handle(p)
		}
	}
}

// send gives an IP packet to the station that has the address dst. Nobody
// there: it is lost.
func (n *Network) send(src, dst netip.Addr, protocol byte, payload []byte) {
	to, ok := n.neighbours.find(dst)
	if !ok {
		return
	}
	n.sendTo(to, src, dst, protocol, payload)
}

func (n *Network) sendTo(to mac, src, dst netip.Addr, protocol byte, payload []byte) {
	if src.Is4() {
		n.transmit(to, etherIPv4, appendIPv4(nil, src, dst, protocol, payload))
	} else {
		n.transmit(to, etherIPv6, appendIPv6(nil, src, dst, protocol, payload))
	}
}

func (n *Network) transmit(to mac, etherType uint16, payload []byte) {
	n.out.send(appendEthernet(nil, to, gatewayMAC, etherType, payload))
}

// fault returns what is wrong now.
func (n *Network) fault(k faults.Kind) (faults.Fault, bool) { return n.cfg.Faults.Active(k, n.now) }

func (n *Network) log(format string, args ...any) {
	if n.cfg.Log != nil {
		n.cfg.Log(n.now, fmt.Sprintf(format, args...))
	}
}

// date is the time of day on the island.
func (n *Network) date() time.Time {
	return n.cfg.Epoch.Add(time.Duration(emu.Duration(n.now).Nanoseconds()))
}

// service runs the answer of a server, later when servers are slow.
func (n *Network) service(answer func()) {
	if f, ok := n.fault(faults.SlowServer); ok {
		n.timers.once(n.now.Add(f.Delay), answer)
		return
	}
	answer()
}
