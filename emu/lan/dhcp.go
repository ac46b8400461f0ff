package lan

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"

	"espalier.dev/espalier/emu/faults"
)

// Messages of DHCP (RFC 2132 9.6).
const (
	dhcpDiscover = 1
	dhcpOffer    = 2
	dhcpRequest  = 3
	dhcpDecline  = 4
	dhcpAck      = 5
	dhcpNak      = 6
	dhcpRelease  = 7
	dhcpInform   = 8
)

// Options of DHCP (RFC 2132).
const (
	optionSubnet    = 1
	optionRouter    = 3
	optionDNS       = 6
	optionDomain    = 15
	optionMTU       = 26
	optionBroadcast = 28
	optionNTP       = 42
	optionRequested = 50
	optionLease     = 51
	optionOverload  = 52
	optionType      = 53
	optionServer    = 54
	optionClientID  = 61
)

const (
	dhcpHeader = 236
	// leaseTime in seconds: a station does not renew in a run of hours.
	leaseTime = 86400
	// shortLease makes a station renew soon, for the fault lease-change.
	shortLease = 60
)

var dhcpCookie = []byte{99, 130, 83, 99}

// dhcpMessage is a message of a client, as far as the server reads it.
type dhcpMessage struct {
	kind      byte
	xid       uint32
	flags     uint16
	client    netip.Addr // ciaddr
	hardware  mac        // chaddr
	id        string     // client identifier, or the hardware address
	requested netip.Addr // zero when not given
	server    netip.Addr // zero when not given
}

// parseDHCP reads a message of a client (RFC 2131).
func parseDHCP(b []byte) (dhcpMessage, bool) {
	if len(b) < dhcpHeader+4 || b[0] != 1 || b[1] != 1 || b[2] != 6 || !bytes.Equal(b[dhcpHeader:dhcpHeader+4], dhcpCookie) {
		return dhcpMessage{}, false
	}
	m := dhcpMessage{
		xid: binary.BigEndian.Uint32(b[4:]), flags: binary.BigEndian.Uint16(b[10:]),
		client: netip.AddrFrom4([4]byte(b[12:16])), hardware: mac(b[28:34]),
	}
	m.id = string(m.hardware[:])
	ok := true
	overload := byte(0)
	read := func(options []byte) {
		for len(options) > 0 && ok {
			code := options[0]
			if code == 0 {
				options = options[1:]
				continue
			}
			if code == 255 {
				return
			}
			if len(options) < 2 || len(options) < 2+int(options[1]) {
				ok = false
				return
			}
			v := options[2 : 2+int(options[1])]
			options = options[2+len(v):]
			switch {
			case code == optionType && len(v) == 1:
				m.kind = v[0]
			case code == optionRequested && len(v) == 4:
				m.requested = netip.AddrFrom4([4]byte(v))
			case code == optionServer && len(v) == 4:
				m.server = netip.AddrFrom4([4]byte(v))
			case code == optionClientID && len(v) >= 2:
				m.id = string(v)
			case code == optionOverload && len(v) == 1:
				overload = v[0]
			}
		}
	}
	read(b[dhcpHeader+4:])
	if overload&1 != 0 {
		read(b[108:236])
	}
	if overload&2 != 0 {
		read(b[44:108])
	}
	return m, ok && m.kind != 0 && !m.hardware.group()
}

// dhcpServer assigns each client one address.
type dhcpServer struct {
	n        *Network
	bindings []binding
	taken    [leases]bool
	next     int // where the search for a free address begins
	changed  bool
}

type binding struct {
	id    string
	slot  int
	acked bool // the address was acknowledged
}

func (s *dhcpServer) handle(f ethernet, d datagram) {
	m, ok := parseDHCP(d.payload)
	n := s.n
	if !ok || m.hardware != f.src {
		return
	}
	if _, silent := n.fault(faults.NoLease); silent {
		return
	}
	if late, ok := n.fault(faults.LateLease); ok {
		n.timers.once(n.now.Add(late.Delay), func() { s.answer(m) })
		return
	}
	s.answer(m)
}

func (s *dhcpServer) answer(m dhcpMessage) {
	if m.server.IsValid() && m.server != gateway4 {
		return // for another server
	}
	switch m.kind {
	case dhcpDiscover:
		if b := s.bind(m); b != nil {
			s.reply(m, dhcpOffer, lease4(b.slot))
		}
	case dhcpRequest:
		s.request(m)
	case dhcpInform:
		s.reply(m, dhcpAck, netip.IPv4Unspecified())
	case dhcpDecline:
		// Another station has the address: it is not assigned again.
		s.bindings = slices.DeleteFunc(s.bindings, func(b binding) bool { return b.id == m.id })
	case dhcpRelease:
		s.release(m.id)
	}
}

// request confirms the address that the server has for a client, and refuses
// every other (RFC 2131 4.3.2).
func (s *dhcpServer) request(m dhcpMessage) {
	want := m.requested
	if !want.IsValid() {
		want = m.client
	}
	b := s.find(m.id)
	if b == nil && !s.changed && !m.server.IsValid() && m.client.IsUnspecified() {
		// INIT-REBOOT: a client that knows an address from an earlier run may
		// keep it if it is free.
		if i := slot(want); i >= 0 && !s.taken[i] && len(s.bindings) < leases {
			b = s.add(m.id, i)
		}
	}
	if b == nil || lease4(b.slot) != want {
		s.reply(m, dhcpNak, netip.IPv4Unspecified())
		s.n.log("no lease of %s for %s", want, m.hardware)
		return
	}
	if !b.acked {
		b.acked = true
		s.n.log("lease of %s for %s", want, m.hardware)
	}
	s.n.neighbours.learn(want, m.hardware)
	s.reply(m, dhcpAck, want)
}

func slot(a netip.Addr) int {
	if !a.Is4() || !subnet4.Contains(a) {
		return -1
	}
	b := a.As4()
	if i := int(b[3]) - 100; i >= 0 && i < leases {
		return i
	}
	return -1
}

// bind returns the binding of a client, a new one if it has none, nil when no
// address is left.
func (s *dhcpServer) bind(m dhcpMessage) *binding {
	if b := s.find(m.id); b != nil {
		return b
	}
	for k := range leases {
		if i := (s.next + k) % leases; !s.taken[i] {
			s.next = (i + 1) % leases
			return s.add(m.id, i)
		}
	}
	// Reuse the oldest offer that was not requested.
	for i, b := range s.bindings {
		if !b.acked {
			s.bindings = slices.Delete(s.bindings, i, i+1)
			return s.add(m.id, b.slot)
		}
	}
	return nil
}

func (s *dhcpServer) add(id string, slot int) *binding {
	s.taken[slot] = true
	s.bindings = append(s.bindings, binding{id: id, slot: slot})
	return &s.bindings[len(s.bindings)-1]
}

func (s *dhcpServer) find(id string) *binding {
	i := slices.IndexFunc(s.bindings, func(b binding) bool { return b.id == id })
	if i < 0 {
		return nil
	}
	return &s.bindings[i]
}

func (s *dhcpServer) release(id string) {
	if b := s.find(id); b != nil {
		s.taken[b.slot] = false
		s.n.neighbours.forget(lease4(b.slot))
		s.bindings = slices.DeleteFunc(s.bindings, func(b binding) bool { return b.id == id })
	}
}

// voidLeases makes every client get another address when it next asks. The
// search for a free address continues where it was, so no client gets its
// former one.
func (s *dhcpServer) voidLeases() {
	s.bindings, s.taken, s.changed = nil, [leases]bool{}, true
	s.n.log("all leases are void")
}

// lease is the lease time in seconds.
func (s *dhcpServer) lease() uint32 {
	if s.n.cfg.Faults.Has(faults.LeaseChange) {
		return shortLease
	}
	return leaseTime
}

func (s *dhcpServer) reply(m dhcpMessage, kind byte, yours netip.Addr) {
	b := make([]byte, dhcpHeader, 320)
	b[0], b[1], b[2] = 2, 1, 6
	binary.BigEndian.PutUint32(b[4:], m.xid)
	binary.BigEndian.PutUint16(b[10:], m.flags)
	if kind != dhcpNak {
		copy(b[12:], m.client.AsSlice())
		copy(b[16:], yours.AsSlice())
		copy(b[20:], gateway4.AsSlice())
	}
	copy(b[28:], m.hardware[:])
	b = append(b, dhcpCookie...)
	option := func(code byte, v ...byte) { b = append(append(b, code, byte(len(v))), v...) }
	option(optionType, kind)
	option(optionServer, gateway4.AsSlice()...)
	if kind != dhcpNak {
		if m.kind != dhcpInform {
			option(optionLease, binary.BigEndian.AppendUint32(nil, s.lease())...)
		}
		option(optionSubnet, 255, 255, 255, 0)
		option(optionRouter, gateway4.AsSlice()...)
		option(optionDNS, gateway4.AsSlice()...)
		option(optionNTP, gateway4.AsSlice()...)
		option(optionBroadcast, subnetBroadcast.AsSlice()...)
		option(optionDomain, []byte(Domain)...)
		option(optionMTU, mtu>>8, mtu&0xff)
	}
	b = append(b, 255)
	for len(b) < 300 { // BOOTP's minimum, which some clients insist on
		b = append(b, 0)
	}
	// RFC 2131 4.1: to the client's address if it has one, else to the assigned
	// address, unless the client can only receive broadcasts.
	to, dst := m.hardware, yours
	switch {
	case kind == dhcpNak || m.flags&0x8000 != 0 && m.client.IsUnspecified():
		to, dst = macBroadcast, broadcast4
	case !m.client.IsUnspecified():
		dst = m.client
	}
	src := netip.AddrPortFrom(gateway4, portDHCPServer)
	s.n.sendTo(to, gateway4, dst, protoUDP, appendUDP(nil, src, netip.AddrPortFrom(dst, portDHCPClient), b))
}
