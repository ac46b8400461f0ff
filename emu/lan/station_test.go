package lan

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/faults"
)

// station is a host on the network, operated by the test.
type station struct {
	t    *testing.T
	n    *Network
	mac  mac
	ip   netip.Addr
	now  emu.Time
	got  [][]byte // frames that were received
	port uint16
}

func newStation(t *testing.T, cfg Config) *station {
	t.Helper()
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &station{t: t, n: n, mac: mac{2, 0, 0, 0, 0, 7}, port: 50000}
}

func schedule(t *testing.T, texts ...string) faults.Schedule {
	t.Helper()
	s, err := faults.ParseAll(texts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wait advances time by d and collects the received frames.
func (s *station) wait(d emu.Duration) {
	end := s.now.Add(d)
	for {
		at, ok := s.n.Next()
		if !ok || at > end {
			break
		}
		s.now = max(s.now, at)
		s.n.Advance(s.now, func(b []byte) { s.got = append(s.got, b) })
	}
	s.now = end
}

func (s *station) sendIP(dst netip.Addr, protocol byte, payload []byte) {
	if dst.Is4() {
		s.n.Receive(s.now, appendEthernet(nil, gatewayMAC, s.mac, etherIPv4, appendIPv4(nil, s.ip, dst, protocol, payload)))
	} else {
		s.n.Receive(s.now, appendEthernet(nil, gatewayMAC, s.mac, etherIPv6, appendIPv6(nil, s.ip, dst, protocol, payload)))
	}
}

// packets returns and removes the IP packets that were received.
func (s *station) packets() []packet {
	s.t.Helper()
	var out []packet
	for _, b := range s.got {
		f, ok := parseEthernet(b)
		if !ok || f.dst != s.mac && !f.dst.group() || f.src != gatewayMAC {
			s.t.Fatalf("bad frame % x", b)
		}
		switch f.etherType {
		case etherIPv4:
			if p, ok := parseIPv4(f.payload); ok {
				out = append(out, p)
				continue
			}
			s.t.Fatalf("bad packet % x", b)
		case etherIPv6:
			if p, ok := parseIPv6(f.payload); ok {
				out = append(out, p)
				continue
			}
			s.t.Fatalf("bad packet % x", b)
		}
	}
	s.got = nil
	return out
}

// ask sends a datagram and returns the answers of the next d.
func (s *station) ask(to netip.AddrPort, payload []byte, d emu.Duration) [][]byte {
	s.t.Helper()
	s.port++
	from := netip.AddrPortFrom(s.ip, s.port)
	s.sendIP(to.Addr(), protoUDP, appendUDP(nil, from, to, payload))
	s.wait(d)
	var out [][]byte
	for _, p := range s.packets() {
		if p.protocol != protoUDP {
			continue
		}
		if g, ok := parseUDP(p); ok && g.dst == from && g.src == to {
			out = append(out, g.payload)
		}
	}
	return out
}

// dhcp sends a message and returns the type and the address of the answer.
func (s *station) dhcp(kind byte, client, requested netip.Addr, d emu.Duration) (answer byte, yours netip.Addr) {
	s.t.Helper()
	b := make([]byte, dhcpHeader)
	b[0], b[1], b[2] = 1, 1, 6
	binary.BigEndian.PutUint32(b[4:], 0x12345678)
	if client.IsValid() {
		copy(b[12:], client.AsSlice())
	}
	copy(b[28:], s.mac[:])
	b = append(append(b, dhcpCookie...), optionType, 1, kind)
	if requested.IsValid() {
		b = append(append(b, optionRequested, 4), requested.AsSlice()...)
		b = append(append(b, optionServer, 4), gateway4.AsSlice()...)
	}
	b = append(b, 255)
	src := netip.AddrPortFrom(netip.IPv4Unspecified(), portDHCPClient)
	if client.IsValid() {
		src = netip.AddrPortFrom(client, portDHCPClient)
	}
	dst := netip.AddrPortFrom(broadcast4, portDHCPServer)
	s.n.Receive(s.now, appendEthernet(nil, macBroadcast, s.mac, etherIPv4, appendIPv4(nil, src.Addr(), broadcast4, protoUDP, appendUDP(nil, src, dst, b))))
	s.wait(d)
	for _, p := range s.packets() {
		if g, ok := parseUDP(p); ok && g.src.Port() == portDHCPServer {
			for o := g.payload[dhcpHeader+4:]; len(o) > 1 && o[0] != 255; o = o[2+o[1]:] {
				if o[0] == optionType {
					answer = o[2]
				}
			}
			return answer, netip.AddrFrom4([4]byte(g.payload[16:20]))
		}
	}
	return 0, netip.Addr{}
}

// join gets a lease.
func (s *station) join() {
	s.t.Helper()
	_, offer := s.dhcp(dhcpDiscover, netip.Addr{}, netip.Addr{}, emu.Second)
	kind, got := s.dhcp(dhcpRequest, netip.Addr{}, offer, emu.Second)
	if kind != dhcpAck || got != offer || !offer.IsValid() {
		s.t.Fatalf("no lease: %d, %s, %s", kind, offer, got)
	}
	s.ip = got
}

// dnsQuestion returns a query for a name.
func dnsQuestion(name string, qtype dnsmessage.Type) []byte {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 0xabcd, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name + "."), Type: qtype, Class: dnsmessage.ClassINET}},
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

// lookup asks the name server and returns its response, nil when there is none.
func (s *station) lookup(name string, qtype dnsmessage.Type) *dnsmessage.Message {
	s.t.Helper()
	answers := s.ask(netip.AddrPortFrom(gateway4, portDNS), dnsQuestion(name, qtype), emu.Second)
	if len(answers) == 0 {
		return nil
	}
	m := &dnsmessage.Message{}
	if err := m.Unpack(answers[0]); err != nil || !m.Response || m.ID != 0xabcd || len(m.Questions) != 1 {
		s.t.Fatalf("response % x: %v", answers[0], err)
	}
	return m
}

// addresses returns the addresses of a response.
func addresses(m *dnsmessage.Message) (list []netip.Addr) {
	for _, r := range m.Answers {
		switch body := r.Body.(type) {
		case *dnsmessage.AResource:
			list = append(list, netip.AddrFrom4(body.A))
		case *dnsmessage.AAAAResource:
			list = append(list, netip.AddrFrom16(body.AAAA))
		}
	}
	return list
}

// client is a minimal TCP client of the station: it acknowledges segments that
// arrive in order. Whether the server's TCP is correct is tested with the Linux
// kernel as its peer.
type client struct {
	s        *station
	seq, ack uint32
	from, to netip.AddrPort
	reset    bool
	ended    bool
	data     []byte
}

func (s *station) connect(to netip.AddrPort) *client {
	s.port++
	c := &client{s: s, seq: 1000, from: netip.AddrPortFrom(s.ip, s.port), to: to}
	c.send(tcpSYN, nil)
	c.seq++
	c.wait(10 * emu.Millisecond)
	return c
}

func (c *client) send(flags byte, data []byte) {
	c.s.sendIP(c.to.Addr(), protoTCP, appendTCP(nil, segment{src: c.from, dst: c.to, seq: c.seq, ack: c.ack, flags: flags, window: 4096, data: data}))
}

func (c *client) write(data string) {
	c.send(tcpACK|tcpPSH, []byte(data))
	c.seq += uint32(len(data))
}

// wait advances time by d and takes segments in order.
func (c *client) wait(d emu.Duration) {
	end := c.s.now.Add(d)
	for c.s.now < end {
		c.s.wait(emu.Millisecond)
		for _, p := range c.s.packets() {
			g, ok := parseTCP(p)
			if !ok || g.dst != c.from || g.src != c.to {
				continue
			}
			switch {
			case g.flags&tcpRST != 0:
				c.reset = true
			case g.flags&tcpSYN != 0:
				c.ack = g.seq + 1
				c.send(tcpACK, nil)
			case g.seq == c.ack && g.length() > 0:
				c.ack += g.length()
				c.data = append(c.data, g.data...)
				c.ended = c.ended || g.flags&tcpFIN != 0
				c.send(tcpACK, nil)
			}
		}
	}
}

// get requests a page and returns after d.
func (s *station) get(host string, d emu.Duration) *client {
	c := s.connect(netip.AddrPortFrom(netip.MustParseAddr("198.18.0.1"), portHTTP))
	c.write("GET / HTTP/1.0\r\nHost: " + host + "\r\n\r\n")
	c.wait(d)
	return c
}
