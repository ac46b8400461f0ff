package secure

import (
	"crypto/tls"
	"errors"
	"io"
	"iter"
	"net"
	"time"
)

// Config is what a session needs of its surroundings. All of it but Keys is
// required.
type Config struct {
	// Random is the source of everything that is random. See Seeded for how
	// far the Go runtime lets a session depend on it.
	Random io.Reader

	// Now is the date, in guest time.
	Now func() time.Time

	// Certificate chooses the certificate for the name that the client asks
	// for; the name is empty when it asks for none.
	Certificate func(name string) (*Certificate, error)

	// Keys, where it is not nil, is told the secrets of the connection: lines of
	// the key log format of NSS.
	Keys func(lines []byte)

	// Send takes ciphertext for the client. Opened says that the handshake is
	// over, Deliver takes the plaintext that the client sends; both may call
	// Write and Close. Ended is told once that the client has sent all, or that
	// the session has failed, before or after the handshake. Bytes are not kept.
	Send    func(ciphertext []byte)
	Opened  func()
	Deliver func(plaintext []byte)
	Ended   func(err error)
}

// Session is the server's end of one connection. It is not safe for concurrent
// use.
type Session struct {
	cfg     Config
	tls     *tls.Conn
	in      []byte // ciphertext that TLS has not read
	eof     bool   // no more will come in
	open    bool   // the handshake is over
	running bool   // TLS has the processor
	done    bool   // TLS takes no more
	next    func() (struct{}, bool)
	stop    func()
}

// NewSession returns a session that waits for a client's first bytes.
func NewSession(cfg Config) *Session {
	s := &Session{cfg: cfg}
	s.next, s.stop = iter.Pull(s.run)
	return s
}

// Arrive takes ciphertext and does all that follows from it.
func (s *Session) Arrive(ciphertext []byte) {
	if s.done {
		return
	}
	s.in = append(s.in, ciphertext...)
	s.resume()
}

// EOF says that no more ciphertext will come. A client that leaves without
// saying so inside is one that has sent all: what it asked for has its own
// length, and many end a connection that way.
func (s *Session) EOF() {
	s.eof = true
	s.resume()
}

// Write sends plaintext. Before the end of the handshake it is lost.
func (s *Session) Write(plaintext []byte) {
	if s.open {
		s.tls.Write(plaintext) // fails only after Close
	}
}

// Close tells the client that no more will come.
func (s *Session) Close() {
	if s.open {
		s.tls.CloseWrite()
	}
}

// Abandon ends a session whose connection is no more.
func (s *Session) Abandon() {
	s.in, s.eof, s.done = nil, true, true
	if !s.running { // else TLS comes back for more, and finds the end
		s.stop()
	}
}

func (s *Session) resume() {
	if !s.running {
		s.running = true
		s.next()
		s.running = false
	}
}

// errAbandoned is what TLS reads when its connection is no more.
var errAbandoned = errors.New("abandoned")

// run is the coroutine. yield returns when there is more to read, or false when
// there never will be.
func (s *Session) run(yield func(struct{}) bool) {
	w := &wire{s: s, yield: yield}
	s.tls = tls.Server(w, s.config())
	err := s.tls.Handshake()
	if s.open = err == nil; s.open {
		s.cfg.Opened()
	}
	buf := make([]byte, 16<<10) // a record
	for err == nil {
		var n int
		n, err = s.tls.Read(buf)
		if n > 0 {
			s.cfg.Deliver(buf[:n])
		}
	}
	s.in, s.done = nil, true
	switch {
	case w.gone:
		return
	case s.open && (err == io.EOF || err == io.ErrUnexpectedEOF):
		err = nil
	}
	s.cfg.Ended(err)
}

func (s *Session) config() *tls.Config {
	c := &tls.Config{
		Rand: s.cfg.Random,
		Time: s.cfg.Now,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			c, err := s.cfg.Certificate(hello.ServerName)
			if err != nil {
				return nil, err
			}
			return &c.tls, nil
		},
		NextProtos: []string{"http/1.1"},
		// Those whose keys come from Rand; the key encapsulation of the others
		// never does.
		CurvePreferences:       []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384},
		SessionTicketsDisabled: true,
	}
	if s.cfg.Keys != nil {
		c.KeyLogWriter = keyLog(s.cfg.Keys)
	}
	return c
}

type keyLog func([]byte)

func (k keyLog) Write(b []byte) (int, error) {
	k(b)
	return len(b), nil
}

// wire is the connection as crypto/tls sees it.
type wire struct {
	s     *Session
	yield func(struct{}) bool
	gone  bool
}

func (w *wire) Read(b []byte) (int, error) {
	for len(w.s.in) == 0 {
		switch {
		case w.gone:
			return 0, errAbandoned
		case w.s.eof:
			return 0, io.EOF
		}
		w.gone = !w.yield(struct{}{})
	}
	n := copy(b, w.s.in)
	if w.s.in = w.s.in[n:]; len(w.s.in) == 0 {
		w.s.in = nil
	}
	return n, nil
}

func (w *wire) Write(b []byte) (int, error) {
	if w.gone {
		return 0, errAbandoned
	}
	w.s.cfg.Send(b)
	return len(b), nil
}

func (w *wire) Close() error                     { return nil }
func (w *wire) LocalAddr() net.Addr              { return address{} }
func (w *wire) RemoteAddr() net.Addr             { return address{} }
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// address is that of nobody: it only shows in texts of crypto/tls.
type address struct{}

func (address) Network() string { return "tcp" }
func (address) String() string  { return "the island" }
