package lan

import (
	"encoding/pem"
	"errors"
	"io"
	"net/netip"
	"strings"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/faults"
	"espalier.dev/espalier/emu/lan/secure"
)

// rootName makes the root of every island: whoever has this line has its key.
const rootName = "espalier island root"

// Hosts that nobody should talk to.
const (
	untrustedHost = "untrusted." + Domain  // signed by another authority
	wrongNameHost = "wrong-name." + Domain // has the certificate of another host
	expiredHost   = "expired." + Domain    // has one that is no longer valid
)

// Root returns the root certificate of every island, DER: what firmware must
// trust to talk to it with TLS, and must not trust anywhere else, because its
// key is no secret. It is the same in every run and on every machine.
func Root() []byte {
	a, err := secure.NewAuthority(rootName)
	if err != nil {
		panic(err) // a constant cannot fail once and not always
	}
	return a.Root()
}

// RootPEM is Root as text.
func RootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: Root()})
}

// tlsTable is what the TLS servers of a network share.
type tlsTable struct {
	n      *Network
	random io.Reader
	made   map[string]*secure.Authority
}

func (t *tlsTable) authority(name string) (*secure.Authority, error) {
	if a := t.made[name]; a != nil {
		return a, nil
	}
	a, err := secure.NewAuthority(name)
	if err != nil {
		return nil, err
	}
	if t.made == nil {
		t.made = map[string]*secure.Authority{}
	}
	t.made[name] = a
	return a, nil
}

// certificate is that of the host which a station asks for, or calls without
// asking for a name.
func (t *tlsTable) certificate(name string, called netip.Addr) (*secure.Certificate, error) {
	if name == "" {
		name = t.n.dns.nameOf(called)
	}
	if name == "" {
		name = called.String()
	}
	name = strings.ToLower(name)
	root := rootName
	switch name {
	case untrustedHost:
		root = "not the " + rootName
	case wrongNameHost:
		name = "another." + Domain
	}
	a, err := t.authority(root)
	if err != nil {
		return nil, err
	}
	return a.Certificate(name, name == expiredHost)
}

// tlsServer is the server's end of TLS, between a connection and an app: an app
// for the one, a link for the other.
type tlsServer struct {
	n       *Network
	app     app
	link    link // the connection
	session *secure.Session
	timer   *timer // runs during the handshake
}

// handshakeTime is how long a client may take: many that do not like a
// certificate just go away.
const handshakeTime = 30 * emu.Second

func newTLSServer(n *Network, a app) *tlsServer {
	t := &n.tls
	if t.random == nil {
		t.random = secure.Source(faults.NewRandom(n.cfg.Seed, "tls").Uint64)
	}
	s := &tlsServer{n: n, app: a}
	s.timer = newTimer(func() {
		s.failed("the client does not go on with the handshake")
		s.link.abort()
	})
	s.session = secure.NewSession(secure.Config{
		Random:      t.random,
		Now:         n.date,
		Certificate: func(name string) (*secure.Certificate, error) { return t.certificate(name, s.link.local()) },
		Keys:        n.cfg.Keys,
		Send:        func(b []byte) { s.link.write(b) },
		Opened:      s.shaken,
		Deliver:     func(b []byte) { s.app.received(s, b) },
		Ended:       s.end,
	})
	return s
}

// shaken is the end of the handshake.
func (s *tlsServer) shaken() {
	s.n.timers.stop(s.timer)
	s.app.opened(s)
}

// end is the end of what the station has to say.
func (s *tlsServer) end(err error) {
	if err == nil {
		s.app.ended(s)
		return
	}
	s.n.timers.stop(s.timer)
	if errors.Is(err, io.EOF) {
		err = errors.New("the client has left the handshake")
	}
	s.failed(err.Error())
	s.link.close()
}

func (s *tlsServer) failed(why string) {
	s.n.log("TLS from %s to %s: %s", s.link.peer(), s.link.local(), why)
}

func (s *tlsServer) opened(l link) {
	s.link = l
	s.n.timers.set(s.timer, s.n.now.Add(handshakeTime))
}

func (s *tlsServer) received(_ link, b []byte) { s.session.Arrive(b) }
func (s *tlsServer) ended(link)                { s.session.EOF() }
func (s *tlsServer) acked(link)                { s.app.acked(s) }
func (s *tlsServer) gone(_ link, failed bool) {
	s.n.timers.stop(s.timer)
	s.session.Abandon()
	s.app.gone(s, failed)
}
func (s *tlsServer) window() int { return s.app.window() }

func (s *tlsServer) write(b []byte)    { s.session.Write(b) }
func (s *tlsServer) close()            { s.session.Close(); s.link.close() }
func (s *tlsServer) unsent() int       { return s.link.unsent() }
func (s *tlsServer) abort()            { s.link.abort() }
func (s *tlsServer) over() bool        { return s.link.over() }
func (s *tlsServer) reopen()           { s.link.reopen() }
func (s *tlsServer) local() netip.Addr { return s.link.local() }
func (s *tlsServer) peer() netip.Addr  { return s.link.peer() }
