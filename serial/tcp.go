package serial

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"time"
)

// tcpPort is a raw byte stream: it has no speed and no modem lines.
type tcpPort struct{ stream }

// dialTimeout bounds the time for a connection.
const dialTimeout = 10 * time.Second

func dial(ctx context.Context, name, addr string) (net.Conn, error) {
	addr, _, _ = strings.Cut(addr, "?") // options of other programs' URLs
	addr = strings.TrimSuffix(addr, "/")
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return nil, &OpenError{Name: name, Reason: BadName, Err: errors.New("want HOST:PORT after ://")}
	}
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err == nil {
		return conn, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	e := &OpenError{Name: name, Err: err}
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Reason = Refused
	case errors.As(err, &dns):
		e.Err = errors.New("no such host")
	}
	return nil, e
}

func openTCP(ctx context.Context, name, addr string) (Port, error) {
	conn, err := dial(ctx, name, addr)
	if err != nil {
		return nil, err
	}
	return &tcpPort{stream{file: conn, info: Info{Name: name, Kind: Network}, start: time.Now()}}, nil
}

// SetBaud is not possible: the other end decides.
func (p *tcpPort) SetBaud(context.Context, int) error { return errors.ErrUnsupported }

func (p *tcpPort) SetLines(context.Context, bool, bool) error { return errors.ErrUnsupported }

// Listener accepts the clients of a Server.
type Listener = net.Listener

// Listen opens a TCP address for a Server.
func Listen(ctx context.Context, addr string) (Listener, error) {
	var c net.ListenConfig
	return c.Listen(ctx, "tcp", addr)
}
