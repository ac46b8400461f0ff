package lan

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"espalier.dev/espalier/emu"
)

// samples returns valid frames of a station, one of each kind.
func samples() [][]byte {
	me, ip := mac{2, 0, 0, 0, 0, 7}, FirstLease()
	six := netip.MustParseAddr("fd65:7370:616c::7")
	eth := func(t uint16, b []byte) []byte { return appendEthernet(nil, gatewayMAC, me, t, b) }
	v4 := func(proto byte, b []byte) []byte { return eth(etherIPv4, appendIPv4(nil, ip, gateway4, proto, b)) }
	udp := func(port uint16, b []byte) []byte {
		return v4(protoUDP, appendUDP(nil, netip.AddrPortFrom(ip, 5000), netip.AddrPortFrom(gateway4, port), b))
	}

	discover := make([]byte, dhcpHeader)
	discover[0], discover[1], discover[2] = 1, 1, 6
	copy(discover[28:], me[:])
	discover = append(append(discover, dhcpCookie...), optionType, 1, dhcpDiscover, optionClientID, 2, 1, 2, 255)
	query := dnsQuestion("espalier.lan", dnsmessage.TypeA)
	ntp := make([]byte, ntpSize)
	ntp[0] = 0x23
	ping := []byte{icmpEcho, 0, 0, 0, 0, 1, 0, 1, 'x'}
	binary.BigEndian.PutUint16(ping[2:], checksum(0, ping))
	solicit := append([]byte{icmp6Solicit, 0, 0, 0, 0, 0, 0, 0}, gateway6.AsSlice()...)
	binary.BigEndian.PutUint16(solicit[2:], checksum(pseudo(six, gateway6, protoICMPv6, len(solicit)), solicit))
	return [][]byte{
		eth(etherARP, appendARP(nil, arpPacket{arpRequest, me, ip, mac{}, gateway4})),
		appendEthernet(nil, macBroadcast, me, etherIPv4, appendIPv4(nil, netip.IPv4Unspecified(), broadcast4, protoUDP,
			appendUDP(nil, netip.AddrPortFrom(netip.IPv4Unspecified(), 68), netip.AddrPortFrom(broadcast4, 67), discover))),
		udp(portDNS, query), udp(portNTP, ntp), udp(portEcho, []byte("hello")), udp(4711, nil),
		v4(protoICMP, ping),
		eth(etherIPv6, appendIPv6(nil, six, gateway6, protoICMPv6, solicit)),
		tcpSample(segment{seq: 1, flags: tcpSYN, window: 4096, mss: 1460}),
		tcpSample(segment{seq: 2, ack: 1, flags: tcpACK, window: 4096, data: []byte("GET / HTTP/1.0\r\n\r\n")}),
		tcpSample(segment{seq: 20, flags: tcpRST}),
	}
}

// tcpSample returns a frame of that station with a segment for the web server.
func tcpSample(s segment) []byte {
	ip := FirstLease()
	s.src, s.dst = netip.AddrPortFrom(ip, 5000), netip.AddrPortFrom(gateway4, portHTTP)
	b := appendIPv4(nil, ip, gateway4, protoTCP, appendTCP(nil, s))
	return appendEthernet(nil, gatewayMAC, mac{2, 0, 0, 0, 0, 7}, etherIPv4, b)
}

// FuzzFrames passes frames to a network, each preceded by its length. Checksums are
// corrected so that the code after their verification is reached. Every answer is a
// valid frame, and in the end no connection and no timer is left.
func FuzzFrames(f *testing.F) {
	join := func(frames ...[]byte) (b []byte) {
		for _, x := range frames {
			b = append(binary.BigEndian.AppendUint16(b, uint16(len(x))), x...)
		}
		return b
	}
	all := samples()
	for _, s := range all {
		f.Add(join(s))
	}
	f.Add(join(all...))
	f.Add(join(all[8], all[9], all[10]))
	// A station that opens a connection and sends nothing.
	f.Add(join(all[8], tcpSample(segment{seq: 2, ack: 1, flags: tcpACK, window: 4096})))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		now := emu.Time(0)
		var first []byte // of the answers: the SYN-ACK that later segments answer
		deliver := func(b []byte) {
			e, ok := parseEthernet(b)
			if !ok || e.src != gatewayMAC {
				t.Fatalf("bad frame % x", b)
			}
			if first == nil {
				first = b
			}
		}
		for range 50 {
			if len(b) < 2 {
				break
			}
			size := min(int(binary.BigEndian.Uint16(b)), len(b)-2)
			frame := append([]byte(nil), b[2:2+size]...)
			b = b[2+size:]
			repair(frame, first)
			n.Receive(now, frame)
			now = now.Add(10 * emu.Millisecond)
			n.Advance(now, deliver)
		}
		for range 10000 {
			at, ok := n.Next()
			if !ok {
				if len(n.tcp.order) > 0 {
					t.Fatal("a connection is left that no timer will end")
				}
				return
			}
			n.Advance(at, deliver)
		}
		t.Fatal("the network still has timers after 10000 events")
	})
}

// repair corrects checksums, and the acknowledgement number of a TCP segment to
// match what the network has sent.
func repair(b, answer []byte) {
	if len(b) < ethernetHeader+ipv4Header || binary.BigEndian.Uint16(b[12:]) != etherIPv4 {
		return
	}
	ip := b[ethernetHeader:]
	header := int(ip[0]&15) * 4
	total := int(binary.BigEndian.Uint16(ip[2:]))
	if header < ipv4Header || total < header || total > len(ip) {
		return
	}
	ip[10], ip[11] = 0, 0
	binary.BigEndian.PutUint16(ip[10:], checksum(0, ip[:header]))
	p := ip[header:total]
	src, dst := netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20]))
	put := func(at int, sum uint32) {
		if len(p) >= at+2 {
			p[at], p[at+1] = 0, 0
			binary.BigEndian.PutUint16(p[at:], checksum(sum, p))
		}
	}
	switch ip[9] {
	case protoICMP:
		put(2, 0)
	case protoUDP:
		put(6, pseudo(src, dst, protoUDP, len(p)))
	case protoTCP:
		if at := ethernetHeader + ipv4Header + 4; len(p) >= tcpHeader && p[13]&tcpSYN == 0 && len(answer) >= at+4 {
			binary.BigEndian.PutUint32(p[8:], binary.BigEndian.Uint32(answer[at:])+binary.BigEndian.Uint32(p[8:]))
		}
		put(16, pseudo(src, dst, protoTCP, len(p)))
	}
}

func FuzzDHCP(f *testing.F) {
	f.Add(samples()[1][ethernetHeader+ipv4Header+udpHeader:])
	f.Fuzz(func(t *testing.T, b []byte) { parseDHCP(b) })
}

func FuzzDNS(f *testing.F) {
	f.Add(samples()[2][ethernetHeader+ipv4Header+udpHeader:])
	f.Fuzz(func(t *testing.T, b []byte) {
		q, rcode, ok := parseDNS(b)
		if !ok {
			return
		}
		response := q.response(rcode, gateway4, gateway6)
		var m dnsmessage.Message
		if err := m.Unpack(response); err != nil || !m.Response || m.ID != q.header.ID || len(m.Answers) > 2 {
			t.Fatalf("response % x to % x: %v", response, b, err)
		}
	})
}

func FuzzARP(f *testing.F) {
	f.Add(samples()[0][ethernetHeader:])
	f.Fuzz(func(t *testing.T, b []byte) { parseARP(b) })
}

func FuzzTCP(f *testing.F) {
	s := samples()
	f.Add(s[8][ethernetHeader:])
	f.Add(s[9][ethernetHeader:])
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, ok := parseIPv4(b); ok {
			parseTCP(p)
		}
	})
}
