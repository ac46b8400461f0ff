package serial

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Server shares a port over the network (RFC 2217 or plain TCP) with one client at
// a time. Bytes that arrive while no client is connected are discarded.
type Server struct {
	Port Port
	// RFC2217 serves speed and modem lines too; else the connection is a raw
	// byte stream.
	RFC2217 bool
	// Event, when set, is called with one line for each client that connects or
	// leaves.
	Event func(text string)
}

// Serve accepts clients until ctx ends or the port disconnects; the error is that
// of ctx, of the listener, or *GoneError of the port. The listener is closed.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer l.Close()
	p := &pump{port: s.Port}
	var all sync.WaitGroup
	all.Go(func() { cancel(p.run(ctx)) })
	defer all.Wait()
	defer cancel(nil)
	for {
		conn, err := l.Accept()
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}
		all.Go(func() { s.client(ctx, cancel, conn, p) })
	}
}

func (s *Server) event(text string) {
	if s.Event != nil {
		s.Event(text)
	}
}

// client serves one connection.
func (s *Server) client(ctx context.Context, cancel context.CancelCauseFunc, conn net.Conn, p *pump) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	from := conn.RemoteAddr().String()
	var err error
	c := &access{port: s.Port, conn: conn}
	out := func(b []byte) error {
		if s.RFC2217 {
			b = escape(make([]byte, 0, len(b)+8), b)
		}
		return c.send(b)
	}
	if !p.wait(ctx, out) {
		s.event(from + " was sent away: the port is in use by another client")
		return
	}
	defer p.attach(nil)
	s.event(from + " connected")
	defer func() {
		s.event(from + " left")
	}()
	if s.RFC2217 {
		err = c.serve(ctx)
	} else {
		err = copyTo(ctx, s.Port, conn)
	}
	var gone *GoneError
	if errors.As(err, &gone) {
		cancel(err)
	}
}

// copyTo passes everything from a connection to a port.
func copyTo(ctx context.Context, port Port, from io.Reader) error {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if err := port.Write(ctx, buf[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return nil // the client has left
		}
	}
}

// pump reads a port all the time and passes the bytes to the client.
type pump struct {
	port Port
	mu   sync.Mutex
	out  func([]byte) error // nil: no client is connected
}

// attach makes out the client; nil removes it. It reports whether the place
// was free.
func (p *pump) attach(out func([]byte) error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if out != nil && p.out != nil {
		return false
	}
	p.out = out
	return true
}

// handover is how long a client waits for the one before it: the end of a
// connection is noticed a little after the start of the next.
const handover = time.Second

// wait is attach with timeout.
func (p *pump) wait(ctx context.Context, out func([]byte) error) bool {
	end := time.NewTimer(handover)
	defer end.Stop()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !p.attach(out) {
		select {
		case <-again.C:
		case <-end.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// run returns when the port or ctx does, with its error.
func (p *pump) run(ctx context.Context) error {
	buf := make([]byte, 16<<10)
	for {
		n, err := p.port.Read(ctx, buf, 100*time.Millisecond)
		if err != nil && !isTimeout(err) {
			return err
		}
		if n == 0 {
			continue
		}
		p.mu.Lock()
		out := p.out
		p.mu.Unlock()
		if out != nil {
			_ = out(buf[:n]) // a client that has left is noticed where it is read
		}
	}
}

// ServePTY shares a port with the programs that open a pseudo-terminal, and gives
// the port the speed that they set. It returns as Serve does.
func ServePTY(ctx context.Context, pty *PTY, port Port) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := &pump{port: port}
	var all sync.WaitGroup
	all.Go(func() { cancel(p.run(ctx)) })
	defer all.Wait()
	defer cancel(nil)
	var mu sync.Mutex    // of speed
	speed := DefaultBaud // a pseudo-terminal starts with it
	follow := func() error {
		mu.Lock()
		defer mu.Unlock()
		// One look at the speed decides: between two, a request for a change
		// of the lines could be taken for the speed that confirms it.
		now := pty.Baud()
		if dtr, rts, asked := linesOf(now); asked {
			err := port.SetLines(ctx, dtr, rts)
			if !unsupported(err) {
				pty.confirm(speed)
			}
			if err != nil && !unsupported(err) {
				return err
			}
			return nil
		}
		if now != 0 && now != speed {
			speed = now
			if err := port.SetBaud(ctx, now); !unsupported(err) {
				return err
			}
		}
		return nil
	}
	p.attach(func(b []byte) error {
		if err := follow(); err != nil {
			return err
		}
		// A terminal that no program reads must not stop the board.
		return dropFull(pty, b)
	})
	buf := make([]byte, 4096)
	for {
		n, err := pty.Read(ctx, buf, 5*time.Millisecond)
		if isTimeout(err) {
			pty.free()
		}
		if err != nil && !isTimeout(err) {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}
		if err := follow(); err != nil {
			return err
		}
		if n > 0 {
			if err := port.Write(ctx, buf[:n]); err != nil {
				return err
			}
		}
	}
}

// dropFull writes what fits within a moment.
func dropFull(pty *PTY, b []byte) error {
	_ = pty.file.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	_, err := pty.file.Write(b)
	if isTimeout(err) {
		return nil
	}
	return err
}
