package tlsconn

import (
	"crypto/tls"
	"errors"
	"io"
	"iter"
	"net"
	"time"
)

// Config connects a session with its surroundings. Every field but Keys is
// required.
type Config struct {
	// Random is the source of random numbers. Seeded tells whether the Go
	// runtime uses it for the keys of the handshake, too.
	Random io.Reader

	// Now returns the date, in guest time.
	Now func() time.Time

	// Certificate returns the certificate for the server name of the client,
	// which is empty if the client sends none.
	Certificate func(name string) (*Certificate, error)

	// Keys receives the secrets of the connection: lines of the NSS key log
	// format. It may be nil.
	Keys func(lines []byte)

	// Send sends ciphertext to the client. Opened is called at the end of the
	// handshake, Deliver with plaintext of the client; both may call Write and
	// CloseWrite. Ended is called once: with nil when the client has sent its
	// last byte, or with the error that ended the session, during or after the
	// handshake. Bytes are not kept.
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
	eof     bool   // no more ciphertext will be received
	open    bool   // the handshake is done
	running bool   // the coroutine executes
	done    bool   // TLS reads no more
	next    func() (struct{}, bool)
	stop    func()
}

// NewSession returns a session that waits for a client's first bytes.
func NewSession(cfg Config) *Session {
	s := &Session{cfg: cfg}
	s.next, s.stop = iter.Pull(s.run)
	return s
}

// Open reports whether the handshake is done.
func (s *Session) Open() bool { return s.open }

// State returns the state of the connection, nil before the handshake is done.
func (s *Session) State() *tls.ConnectionState {
	if !s.open {
		return nil
	}
	state := s.tls.ConnectionState()
	return &state
}

// Receive takes ciphertext and processes it.
func (s *Session) Receive(ciphertext []byte) {
	if s.done {
		return
	}
	s.in = append(s.in, ciphertext...)
	s.resume()
}

// EOF says that no more ciphertext will be received. A client that closes the
// connection without close_notify is treated as one that has sent all: many
// clients do so, and HTTP messages have a length of their own.
func (s *Session) EOF() {
	s.eof = true
	s.resume()
}

// Write sends plaintext. Before the end of the handshake it is dropped.
func (s *Session) Write(plaintext []byte) {
	if s.open {
		_, _ = s.tls.Write(plaintext) // fails only after CloseWrite
	}
}

// CloseWrite sends close_notify.
func (s *Session) CloseWrite() {
	if s.open {
		_ = s.tls.CloseWrite() // fails only on a closed connection
	}
}

// Abandon ends a session whose connection was closed. Ended is not called.
func (s *Session) Abandon() {
	s.in, s.eof, s.done = nil, true, true
	if !s.running { // else the next read of TLS returns an error
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

// errAbandoned is what TLS reads after Abandon.
var errAbandoned = errors.New("the session was abandoned")

// run is the coroutine. yield returns true when there is more to read and false
// after Abandon.
func (s *Session) run(yield func(struct{}) bool) {
	c := &blockingConn{s: s, yield: yield}
	s.tls = tls.Server(c, s.config())
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
	case c.abandoned:
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
		// The groups whose keys can come from Rand: ML-KEM never uses it.
		CurvePreferences:       []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384},
		SessionTicketsDisabled: true,
	}
	if s.cfg.Keys != nil {
		c.KeyLogWriter = keyLogWriter(s.cfg.Keys)
	}
	return c
}

type keyLogWriter func([]byte)

func (k keyLogWriter) Write(b []byte) (int, error) {
	k(b)
	return len(b), nil
}

// blockingConn is the net.Conn of crypto/tls: Read yields while there is
// nothing to read.
type blockingConn struct {
	s         *Session
	yield     func(struct{}) bool
	abandoned bool
}

func (c *blockingConn) Read(b []byte) (int, error) {
	for len(c.s.in) == 0 {
		switch {
		case c.abandoned:
			return 0, errAbandoned
		case c.s.eof:
			return 0, io.EOF
		}
		c.abandoned = !c.yield(struct{}{})
	}
	n := copy(b, c.s.in)
	if c.s.in = c.s.in[n:]; len(c.s.in) == 0 {
		c.s.in = nil
	}
	return n, nil
}

func (c *blockingConn) Write(b []byte) (int, error) {
	if c.abandoned {
		return 0, errAbandoned
	}
	c.s.cfg.Send(b)
	return len(b), nil
}

func (c *blockingConn) Close() error                     { return nil }
func (c *blockingConn) LocalAddr() net.Addr              { return emulatedAddr{} }
func (c *blockingConn) RemoteAddr() net.Addr             { return emulatedAddr{} }
func (c *blockingConn) SetDeadline(time.Time) error      { return nil }
func (c *blockingConn) SetReadDeadline(time.Time) error  { return nil }
func (c *blockingConn) SetWriteDeadline(time.Time) error { return nil }

// emulatedAddr appears only in error texts of crypto/tls.
type emulatedAddr struct{}

func (emulatedAddr) Network() string { return "tcp" }
func (emulatedAddr) String() string  { return "emulated network" }
