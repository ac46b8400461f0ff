package tlsconn_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"time"

	"espalier.dev/espalier/emu/lan/tlsconn"
)

// wire is the client's end: what is written to it is answered before Write returns.
type wire struct {
	net.Conn // its other methods are not called
	session  *tlsconn.Session
	answers  []byte
}

func (w *wire) Write(b []byte) (int, error) { w.session.Receive(b); return len(b), nil }
func (w *wire) SetDeadline(time.Time) error { return nil }
func (w *wire) Read(b []byte) (int, error) {
	if len(w.answers) == 0 {
		return 0, io.EOF
	}
	n := copy(b, w.answers)
	w.answers = w.answers[n:]
	return n, nil
}

// Go's own client trusts the authority of the network and exchanges two texts with
// the session.
func Example() {
	authority, err := tlsconn.NewAuthority("example")
	if err != nil {
		fmt.Println(err)
		return
	}
	today := func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }
	w := &wire{}
	w.session = tlsconn.NewSession(tlsconn.Config{
		Random:      rand.Reader,
		Now:         today,
		Certificate: func(name string) (*tlsconn.Certificate, error) { return authority.Certificate(name, false) },
		Send:        func(b []byte) { w.answers = append(w.answers, b...) },
		Opened:      func() { fmt.Println("handshake complete") },
		Deliver:     func(b []byte) { fmt.Printf("server reads %q\n", b); w.session.Write([]byte("21.5")) },
		Ended:       func(error) {},
	})
	root, err := x509.ParseCertificate(authority.Root())
	if err != nil {
		fmt.Println(err)
		return
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	client := tls.Client(w, &tls.Config{RootCAs: pool, ServerName: "sensor.espalier.lan", Time: today})
	fmt.Fprint(client, "temperature?")
	b := make([]byte, 16)
	n, err := client.Read(b)
	fmt.Printf("client reads %q %v\n", b[:n], err)
	w.session.Abandon()
	// Output:
	// handshake complete
	// server reads "temperature?"
	// client reads "21.5" <nil>
}
