package lan

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"

	"espalier.dev/espalier/emu/faults"
)

// Types and codes of DNS (RFC 1035, RFC 3596).
const (
	dnsHeader = 12
	dnsA      = 1
	dnsAAAA   = 28
	dnsANY    = 255
	dnsIN     = 1

	dnsNoError  = 0
	dnsFormErr  = 1
	dnsServFail = 2
	dnsNXDomain = 3
	dnsNotImpl  = 4
)

// ttl of answers, in seconds.
const ttl = 60

// question is what is asked; Name is in lower case without the final dot.
type question struct {
	id        uint16
	opcode    byte
	recursion bool
	name      string
	qtype     uint16
	class     uint16
	raw       []byte // the question as it came, for the answer
}

var errName = errors.New("not a domain name")

// parseDNS reads a query with one question. ok is false when there is nothing
// that could be answered; an error code says that the rest is nonsense.
func parseDNS(b []byte) (q question, code byte, ok bool) {
	if len(b) < dnsHeader || b[2]&0x80 != 0 {
		return q, 0, false
	}
	q.id, q.opcode, q.recursion = binary.BigEndian.Uint16(b), b[2]>>3&15, b[2]&1 != 0
	if q.opcode != 0 {
		return q, dnsNotImpl, true
	}
	if binary.BigEndian.Uint16(b[4:]) != 1 {
		return q, dnsFormErr, true
	}
	name, rest, err := readName(b[dnsHeader:])
	if err != nil || len(rest) < 4 {
		return q, dnsFormErr, true
	}
	q.name = name
	q.qtype, q.class = binary.BigEndian.Uint16(rest), binary.BigEndian.Uint16(rest[2:])
	q.raw = b[dnsHeader : len(b)-len(rest)+4]
	return q, dnsNoError, true
}

// readName reads a name of a question, which has nothing to point to.
func readName(b []byte) (name string, rest []byte, err error) {
	var labels []string
	size := 1
	for {
		if len(b) == 0 {
			return "", nil, errName
		}
		n := int(b[0])
		b = b[1:]
		if n == 0 {
			break
		}
		if size += n + 1; n > 63 || n > len(b) || size > 255 {
			return "", nil, errName
		}
		labels = append(labels, strings.ToLower(string(b[:n])))
		b = b[n:]
	}
	return strings.Join(labels, "."), b, nil
}

// appendName writes a name (RFC 1035 3.1).
func appendName(b []byte, name string) ([]byte, error) {
	start := len(b)
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label == "" || len(label) > 63 {
			return nil, errName
		}
		b = append(append(b, byte(len(label))), label...)
	}
	if b = append(b, 0); len(b)-start > 255 {
		return nil, errName
	}
	return b, nil
}

// dnsServer is the name server of the island. Hosts of the world have an
// address there, too: one of 198.18.0.0/15 (RFC 2544), in the order in which
// they are asked for.
type dnsServer struct {
	n     *Network
	world []string
	index map[string]int // into world
}

// maxWorld bounds the names that a hostile guest can make the server remember.
const maxWorld = 1 << 16

func (s *dnsServer) handle(d datagram, answer func([]byte)) {
	q, code, ok := parseDNS(d.payload)
	if !ok {
		return
	}
	if f, failed := s.n.fault(faults.DNSFailure); failed {
		switch f.Answer {
		case faults.ServFail:
			answer(q.reply(dnsServFail))
		case faults.NXDomain:
			answer(q.reply(dnsNXDomain))
		}
		return
	}
	if code != dnsNoError || q.class != dnsIN {
		answer(q.reply(max(code, dnsNoError)))
		return
	}
	if addrs, known := s.local(q.name); known {
		answer(q.reply(dnsNoError, addrs...))
		return
	}
	if s.n.outside() {
		raw := append([]byte(nil), q.raw...)
		q.raw = raw
		s.n.cfg.Uplink.Resolve(q.name, func(addrs []netip.Addr, code byte) { answer(q.reply(code, addrs...)) })
		return
	}
	a, code := s.imagine(q.name)
	if a.IsValid() {
		s.n.log("name %s is %s", q.name, a)
		answer(q.reply(code, a))
		return
	}
	answer(q.reply(code))
}

// local are the names of the island itself and those of the configuration.
func (s *dnsServer) local(name string) ([]netip.Addr, bool) {
	if a, ok := s.n.cfg.Names[name]; ok {
		return []netip.Addr{a}, true
	}
	if name == Domain || strings.HasSuffix(name, "."+Domain) {
		return []netip.Addr{gateway4, gateway6}, true
	}
	return nil, false
}

// imagine returns the island's address for a host of the world.
func (s *dnsServer) imagine(name string) (netip.Addr, byte) {
	// RFC 6761: names that must not exist.
	if name == "" || name == "invalid" || strings.HasSuffix(name, ".invalid") {
		return netip.Addr{}, dnsNXDomain
	}
	i, known := s.index[name]
	if !known {
		if i = len(s.world); i == maxWorld {
			return netip.Addr{}, dnsServFail
		}
		if s.index == nil {
			s.index = map[string]int{}
		}
		s.index[name] = i
		s.world = append(s.world, name)
	}
	return worldAddr(i), dnsNoError
}

func worldAddr(i int) netip.Addr {
	i++
	return netip.AddrFrom4([4]byte{198, 18 + byte(i>>16), byte(i >> 8), byte(i)})
}

// nameOf returns the name that was asked for when a was the answer.
func (s *dnsServer) nameOf(a netip.Addr) string {
	if a == gateway4 || a == gateway6 || a == linkLocal {
		return Domain
	}
	if a.Is4() {
		b := a.As4()
		if b[0] == 198 && b[1]&^1 == 18 {
			if i := int(b[1]&1)<<16 + int(b[2])<<8 + int(b[3]) - 1; i >= 0 && i < len(s.world) {
				return s.world[i]
			}
		}
	}
	return ""
}

// reply writes an answer with those addresses that the question wants.
func (q question) reply(code byte, addrs ...netip.Addr) []byte {
	b := binary.BigEndian.AppendUint16(nil, q.id)
	flags := 0x8080 | uint16(q.opcode)<<11 | uint16(code)
	if q.recursion {
		flags |= 0x0100
	}
	b = binary.BigEndian.AppendUint16(b, flags)
	questions := uint16(0)
	if len(q.raw) > 0 {
		questions = 1
	}
	b = binary.BigEndian.AppendUint16(b, questions)
	b = append(b, 0, 0, 0, 0, 0, 0)
	b = append(b, q.raw...)
	count := uint16(0)
	for _, a := range addrs {
		a = a.Unmap()
		qtype := uint16(dnsA)
		if a.Is6() {
			qtype = dnsAAAA
		}
		if questions == 0 || q.qtype != qtype && q.qtype != dnsANY || count == 8 {
			continue
		}
		b = append(b, 0xc0, dnsHeader)
		b = binary.BigEndian.AppendUint16(b, qtype)
		b = binary.BigEndian.AppendUint16(b, dnsIN)
		b = binary.BigEndian.AppendUint32(b, ttl)
		b = binary.BigEndian.AppendUint16(b, uint16(a.BitLen()/8))
		b = append(b, a.AsSlice()...)
		count++
	}
	binary.BigEndian.PutUint16(b[6:], count)
	return b
}
