package lan

import (
	"errors"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"espalier.dev/espalier/emu/faults"
)

const (
	// dnsTTL is the time to live of answers, in seconds.
	dnsTTL = 60
	// maxAddresses bounds the answers to one question, so that a response fits
	// into a datagram.
	maxAddresses = 8
)

// dnsQuery is a query with one question.
type dnsQuery struct {
	header   dnsmessage.Header
	question dnsmessage.Question // zero when it could not be read
	valid    bool                // there is a question
}

// parseDNS reads a query. ok is false when it is not one, so that nothing is
// answered; rcode says why a query cannot be served.
func parseDNS(b []byte) (q dnsQuery, rcode dnsmessage.RCode, ok bool) {
	var p dnsmessage.Parser
	header, err := p.Start(b)
	if err != nil || header.Response {
		return q, 0, false
	}
	q.header = header
	if header.OpCode != 0 {
		return q, dnsmessage.RCodeNotImplemented, true
	}
	questions, err := p.AllQuestions()
	if err != nil || len(questions) != 1 {
		return q, dnsmessage.RCodeFormatError, true
	}
	q.question, q.valid = questions[0], true
	return q, dnsmessage.RCodeSuccess, true
}

// name returns the name of the question in lower case without the final dot.
func (q dnsQuery) name() string {
	return strings.ToLower(strings.TrimSuffix(q.question.Name.String(), "."))
}

// response returns the response to a query with those addresses that the
// question asks for.
func (q dnsQuery) response(rcode dnsmessage.RCode, addrs ...netip.Addr) []byte {
	b := dnsmessage.NewBuilder(make([]byte, 0, 512), dnsmessage.Header{
		ID: q.header.ID, Response: true, OpCode: q.header.OpCode, RCode: rcode,
		RecursionDesired: q.header.RecursionDesired, RecursionAvailable: true,
	})
	b.EnableCompression()
	if q.valid {
		_ = b.StartQuestions() // a Builder that was just made
		if b.Question(q.question) != nil {
			return nil
		}
		_ = b.StartAnswers()
		count := 0
		for _, a := range addrs {
			if count < maxAddresses && q.answer(&b, a.Unmap()) {
				count++
			}
		}
	}
	message, err := b.Finish()
	if err != nil {
		return nil
	}
	return message
}

// answer appends an address and reports whether the question asks for it.
func (q dnsQuery) answer(b *dnsmessage.Builder, a netip.Addr) bool {
	header := dnsmessage.ResourceHeader{Name: q.question.Name, Class: dnsmessage.ClassINET, TTL: dnsTTL}
	kind := q.question.Type
	switch {
	case a.Is4() && (kind == dnsmessage.TypeA || kind == dnsmessage.TypeALL):
		return b.AResource(header, dnsmessage.AResource{A: a.As4()}) == nil
	case a.Is6() && (kind == dnsmessage.TypeAAAA || kind == dnsmessage.TypeALL):
		return b.AAAAResource(header, dnsmessage.AAAAResource{AAAA: a.As16()}) == nil
	}
	return false
}

// checkName reports whether a name can be in a DNS message (RFC 1035 3.1).
func checkName(name string) error {
	if len(name) > 253 {
		return errors.New("a domain name has at most 253 bytes")
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return errors.New("a label of a domain name has 1 to 63 bytes")
		}
	}
	return nil
}

// dnsServer is the name server of the network. On an isolated network every
// name has an address: those that are not configured get one of 198.18.0.0/15
// (RFC 2544) in the order in which they are asked for.
type dnsServer struct {
	n         *Network
	allocated []string       // names, by address
	index     map[string]int // into allocated
}

// maxNames bounds the names that a hostile guest can make the server remember.
const maxNames = 1 << 16

func (s *dnsServer) handle(d datagram, answer func([]byte)) {
	q, rcode, ok := parseDNS(d.payload)
	if !ok {
		return
	}
	if f, failed := s.n.fault(faults.DNSFailure); failed {
		switch f.Answer {
		case faults.ServFail:
			answer(q.response(dnsmessage.RCodeServerFailure))
		case faults.NXDomain:
			answer(q.response(dnsmessage.RCodeNameError))
		}
		return
	}
	if rcode != dnsmessage.RCodeSuccess || q.question.Class != dnsmessage.ClassINET {
		answer(q.response(rcode))
		return
	}
	name := q.name()
	if addrs, found := s.configured(name); found {
		answer(q.response(dnsmessage.RCodeSuccess, addrs...))
		return
	}
	if s.n.hasOutside() && s.n.cfg.Handlers[name] == nil {
		s.n.cfg.Uplink.Resolve(name, func(addrs []netip.Addr, rcode byte) {
			answer(q.response(dnsmessage.RCode(rcode), addrs...))
		})
		return
	}
	a, rcode := s.allocate(name)
	if a.IsValid() {
		s.n.log("name %s is %s", printable(name), a)
		answer(q.response(rcode, a))
		return
	}
	answer(q.response(rcode))
}

// configured returns the addresses of Config.Names and of the router's names.
func (s *dnsServer) configured(name string) ([]netip.Addr, bool) {
	if a, ok := s.n.cfg.Names[name]; ok {
		return []netip.Addr{a}, true
	}
	if name == Domain || strings.HasSuffix(name, "."+Domain) {
		return []netip.Addr{gateway4, gateway6}, true
	}
	return nil, false
}

// allocate returns the emulated address of a name.
func (s *dnsServer) allocate(name string) (netip.Addr, dnsmessage.RCode) {
	// RFC 6761 6.4: a name that does not exist.
	if name == "" || name == "invalid" || strings.HasSuffix(name, ".invalid") {
		return netip.Addr{}, dnsmessage.RCodeNameError
	}
	i, known := s.index[name]
	if !known {
		if i = len(s.allocated); i == maxNames {
			return netip.Addr{}, dnsmessage.RCodeServerFailure
		}
		if s.index == nil {
			s.index = map[string]int{}
		}
		s.index[name] = i
		s.allocated = append(s.allocated, name)
	}
	i++
	return netip.AddrFrom4([4]byte{198, 18 + byte(i>>16), byte(i >> 8), byte(i)}), dnsmessage.RCodeSuccess
}

// nameOf returns the name that has an address of this network, "" if there is
// none.
func (s *dnsServer) nameOf(a netip.Addr) string {
	if a == gateway4 || a == gateway6 || a == linkLocal {
		return Domain
	}
	if a.Is4() {
		b := a.As4()
		if b[0] == 198 && b[1]&^1 == 18 {
			if i := int(b[1]&1)<<16 + int(b[2])<<8 + int(b[3]) - 1; i >= 0 && i < len(s.allocated) {
				return s.allocated[i]
			}
		}
	}
	return ""
}
