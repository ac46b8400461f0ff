package lan

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/faults"
)

// Network is the router with its servers. It is not safe for concurrent use and
// must not be called from its own callbacks.
type Network struct {
	cfg    Config
	now    emu.Time
	timers timers

	toRouter, toStation link
	deliver             func(frame []byte) // of the running Advance
	arrived             [][]byte           // frames for stations that arrived outside of Advance

	neighbours neighbours
	dhcp       dhcpServer
	dns        dnsServer
	tcp        tcpTable
	udp        udpServers
	isn        *faults.Random
	tls        tlsShared
}

// New returns a network at guest time zero.
func New(cfg Config) (*Network, error) {
	if cfg.Epoch.IsZero() {
		cfg.Epoch = DefaultEpoch()
	}
	for name := range cfg.Names {
		if err := checkName(name); err != nil {
			return nil, fmt.Errorf("host %q: %w", name, err)
		}
	}
	var err error
	if cfg.Handlers, err = normalHandlers(cfg.Handlers); err != nil {
		return nil, err
	}
	n := &Network{cfg: cfg, isn: faults.NewRandom(cfg.Seed, "tcp")}
	n.toRouter = link{n: n, random: faults.NewRandom(cfg.Seed, "to the router"), deliver: n.handle}
	n.toStation = link{n: n, random: faults.NewRandom(cfg.Seed, "to the station"), deliver: n.arriveAtAP, spacing: frameSpacing}
	n.dhcp.n, n.dns.n, n.tcp.n, n.udp.n, n.tls.n = n, n, n, n, n
	for _, f := range cfg.Faults {
		switch {
		case f.Kind == faults.TCPReset && f.From == f.To:
			n.timers.once(f.From, n.tcp.resetAll)
		case f.Kind == faults.LeaseChange:
			n.timers.once(f.From, n.dhcp.voidLeases)
		}
	}
	return n, nil
}

// normalHandlers returns the handlers by host name as hostName returns it.
func normalHandlers(list map[string]http.Handler) (map[string]http.Handler, error) {
	out := map[string]http.Handler{}
	for _, key := range slices.Sorted(maps.Keys(list)) {
		host := strings.TrimSuffix(strings.ToLower(key), ".")
		if a, err := netip.ParseAddr(host); err == nil {
			host = a.String()
		} else if strings.ContainsAny(host, ":/ ") {
			return nil, fmt.Errorf("handler of host %q: want a host name or an address without scheme and port", key)
		} else if err := checkName(host); err != nil {
			return nil, fmt.Errorf("handler of host %q: %w", key, err)
		}
		switch {
		case list[key] == nil:
			return nil, fmt.Errorf("handler of host %q: nil", key)
		case out[host] != nil:
			return nil, fmt.Errorf("handler of host %q: there is another one for %s", key, host)
		}
		out[host] = list[key]
	}
	return out, nil
}

// Close ends the connections. The TLS sessions among them are coroutines, which
// the garbage collector does not collect. The network must not be used
// afterwards.
func (n *Network) Close() {
	for _, c := range slices.Clone(n.tcp.order) {
		c.remove(true)
	}
}

// Receive takes an Ethernet frame of a station: destination, source, type,
// payload, without frame check sequence. The frame is not kept.
func (n *Network) Receive(now emu.Time, frame []byte) {
	n.runTo(now)
	n.now = max(n.now, now)
	n.toRouter.send(frame)
	n.pollUplink()
}

// Next returns the instant at which Advance must be called next; it may have
// passed. ok is false when nothing will happen without a frame.
func (n *Network) Next() (at emu.Time, ok bool) {
	if len(n.arrived) > 0 {
		return n.now, true
	}
	at, ok = n.timers.next()
	if n.cfg.Uplink != nil && n.cfg.Uplink.Busy() {
		if poll := n.now.Add(uplinkPoll); !ok || poll < at {
			at, ok = poll, true
		}
	}
	return at, ok
}

// Advance does what is due at now and calls deliver with the frames for the
// stations. deliver may keep them and must not call the Network.
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
		n.timers.pop().call()
	}
}

// arriveAtAP is the end of the link to the stations.
func (n *Network) arriveAtAP(frame []byte) {
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

// handle is the end of the link to the router.
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
	if !p.src.IsUnspecified() && !p.src.IsMulticast() && isStation(p.src) {
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
		if !f.dst.group() && isStation(p.src) {
			n.tcp.handle(p)
		}
	}
}

// send transmits an IP packet to the station that has the address dst. It is
// dropped if no station has it.
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
	n.toStation.send(appendEthernet(nil, to, gatewayMAC, etherType, payload))
}

// fault returns the fault of a kind that is active now.
func (n *Network) fault(k faults.Kind) (faults.Fault, bool) { return n.cfg.Faults.Active(k, n.now) }

func (n *Network) log(format string, args ...any) {
	if n.cfg.Log != nil {
		n.cfg.Log(n.now, fmt.Sprintf(format, args...))
	}
}

func (n *Network) warn(reason string) {
	switch {
	case n.cfg.Warn != nil:
		n.cfg.Warn(n.now, reason)
	default:
		n.log("warning: %s", reason)
	}
}

// date returns the date at guest time now.
func (n *Network) date() time.Time {
	return n.cfg.Epoch.Add(time.Duration(emu.Duration(n.now).Nanoseconds()))
}

// service calls the answer of a server, later while the fault slow-server is
// active.
func (n *Network) service(answer func()) {
	if f, ok := n.fault(faults.SlowServer); ok {
		n.timers.once(n.now.Add(f.Delay), answer)
		return
	}
	answer()
}
