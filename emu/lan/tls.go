package lan

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"net/netip"
	"strings"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/faults"
	"espalier.dev/espalier/emu/lan/tlsconn"
)

// rootName is the name of the root certificate and the seed of its key: the key
// is public.
const rootName = "espalier isolated network root"

// Hosts whose certificates a client must refuse.
const (
	untrustedHost = "untrusted." + Domain  // signed by another authority
	wrongNameHost = "wrong-name." + Domain // issued for another host
	expiredHost   = "expired." + Domain    // no longer valid
)

// Root returns the root certificate of the network's TLS servers, DER. It is
// the same in every run and on every machine. Firmware must trust it to talk to
// the isolated network over TLS, and nothing else may trust it: its key is
// public.
func Root() []byte {
	a, err := tlsconn.NewAuthority(rootName)
	if err != nil {
		panic(err) // a function of a constant
	}
	return a.Root()
}

// RootPEM returns Root as PEM.
func RootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: Root()})
}

// tlsShared is what the TLS servers of a network share.
type tlsShared struct {
	n           *Network
	random      io.Reader
	authorities map[string]*tlsconn.Authority // by name
	warned      bool
}

// notSeeded is the warning for a program whose TLS keys Config.Seed does not
// decide.
const notSeeded = "TLS keys are random: this run cannot be reproduced; " +
	"add the line `godebug cryptocustomrand=1` to the program's go.mod"

// warn reports, at the first TLS connection, that keys are not seeded.
func (t *tlsShared) warn() {
	if !t.warned && !TLSSeeded() {
		t.n.warn(notSeeded)
	}
	t.warned = true
}

// TLSSeeded reports whether Config.Seed decides the keys of TLS connections.
// Go's crypto packages take them from the operating system unless the program is
// built with the setting cryptocustomrand=1 (a godebug line in the go.mod of the
// main module, or GODEBUG). Without it TLS works and no two runs exchange the
// same bytes.
func TLSSeeded() bool { return tlsconn.Seeded() }

func (t *tlsShared) authority(name string) (*tlsconn.Authority, error) {
	if a := t.authorities[name]; a != nil {
		return a, nil
	}
	a, err := tlsconn.NewAuthority(name)
	if err != nil {
		return nil, err
	}
	if t.authorities == nil {
		t.authorities = map[string]*tlsconn.Authority{}
	}
	t.authorities[name] = a
	return a, nil
}

// certificate returns the certificate for a server name; without one, for the
// host that has the address which the station called.
func (t *tlsShared) certificate(name string, called netip.Addr) (*tlsconn.Certificate, error) {
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

// tlsServer is the server's end of TLS between a TCP connection, whose endpoint
// it is, and an HTTP server, whose transport it is.
type tlsServer struct {
	n        *Network
	endpoint endpoint
	below    transport
	session  *tlsconn.Session
	timer    *timer // of the handshake
}

// handshakeTimeout bounds a handshake: clients that refuse a certificate often
// just stop.
const handshakeTimeout = 30 * emu.Second

func newTLSServer(n *Network, station netip.AddrPort) *tlsServer {
	t := &n.tls
	if t.random == nil {
		t.random = tlsconn.Source(faults.NewRandom(n.cfg.Seed, "tls").Uint64)
	}
	t.warn()
	s := &tlsServer{n: n}
	s.endpoint = newHTTPServer(n, station, func() *tls.ConnectionState { return s.session.State() })
	s.timer = newTimer(func() {
		s.logFailure("the client does not continue the handshake")
		s.below.abort()
	})
	s.session = tlsconn.NewSession(tlsconn.Config{
		Random:      t.random,
		Now:         n.date,
		Certificate: func(name string) (*tlsconn.Certificate, error) { return t.certificate(name, s.below.local()) },
		Keys:        n.cfg.Keys,
		Send:        func(b []byte) { s.below.write(b) },
		Opened:      s.handshakeDone,
		Deliver:     func(b []byte) { s.endpoint.received(s, b) },
		Ended:       s.sessionEnded,
	})
	return s
}

func (s *tlsServer) handshakeDone() {
	s.n.timers.stop(s.timer)
	s.endpoint.connected(s)
}

// sessionEnded is called when the client has sent its last byte, or when TLS
// has failed.
func (s *tlsServer) sessionEnded(err error) {
	if err == nil {
		s.endpoint.endOfStream(s)
		return
	}
	s.n.timers.stop(s.timer)
	if errors.Is(err, io.EOF) {
		err = errors.New("the client closed the connection during the handshake")
	}
	s.logFailure(err.Error())
	s.below.closeWrite()
}

func (s *tlsServer) logFailure(cause string) {
	s.n.log("TLS from %s to %s: %s", s.below.remote(), s.below.local(), cause)
}

// tlsServer as the endpoint of a TCP connection.

func (s *tlsServer) connected(t transport) {
	s.below = t
	s.n.timers.set(s.timer, s.n.now.Add(handshakeTimeout))
}

func (s *tlsServer) received(_ transport, b []byte) { s.session.Receive(b) }
func (s *tlsServer) endOfStream(transport)          { s.session.EOF() }
func (s *tlsServer) acknowledged(transport) {
	if s.session.Open() {
		s.endpoint.acknowledged(s)
	}
}
func (s *tlsServer) disconnected(_ transport, failed bool) {
	s.n.timers.stop(s.timer)
	s.session.Abandon()
	s.endpoint.disconnected(s, failed)
}
func (s *tlsServer) window() int { return s.endpoint.window() }

// tlsServer as the transport of an HTTP server.

func (s *tlsServer) write(b []byte)     { s.session.Write(b) }
func (s *tlsServer) closeWrite()        { s.session.CloseWrite(); s.below.closeWrite() }
func (s *tlsServer) abort()             { s.below.abort() }
func (s *tlsServer) unacked() int       { return s.below.unacked() }
func (s *tlsServer) closed() bool       { return s.below.closed() }
func (s *tlsServer) windowUpdate()      { s.below.windowUpdate() }
func (s *tlsServer) local() netip.Addr  { return s.below.local() }
func (s *tlsServer) remote() netip.Addr { return s.below.remote() }
