package serial

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// remote is a port of another machine, through an RFC 2217 access server. A
// change of speed or lines is complete when the server has confirmed it.
type remote struct {
	stream
	tel  telnet
	mu   sync.Mutex // guards what follows; two goroutines may read the socket in turns
	read sync.Mutex // held while reading the socket
	data []byte     // user bytes that came while waiting for an answer
	acks []telnetEvent
	no   bool // the server refuses the COM-PORT-OPTION
	baud int
}

// confirmTimeout bounds the wait for the server's answer.
const confirmTimeout = 3 * time.Second

func openRFC2217(ctx context.Context, name, addr string, o Options) (Port, error) {
	conn, err := dial(ctx, name, addr)
	if err != nil {
		return nil, err
	}
	r := &remote{stream: stream{file: conn, info: Info{Name: name, Kind: Network}, start: time.Now()}}
	hello := []byte{
		telIAC, telWILL, optBinary, telIAC, telDO, optBinary,
		telIAC, telWILL, optSGA, telIAC, telDO, optSGA,
		telIAC, telWILL, optComPort, telIAC, telDO, optComPort,
	}
	hello = comPort(hello, comSetDataSize, 8)
	hello = comPort(hello, comSetParity, 1)
	hello = comPort(hello, comSetStopSize, 1)
	hello = comPort(hello, comSetControl, ctlNoFlow)
	err = r.stream.Write(ctx, hello)
	if err == nil {
		err = r.SetBaud(ctx, o.baud())
	}
	if err != nil {
		conn.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &OpenError{Name: name, Err: fmt.Errorf("no RFC 2217 server there: %w", err)}
	}
	return r, nil
}

// fill reads from the socket once and sorts what came.
func (r *remote) fill(ctx context.Context, timeout time.Duration) error {
	buf := make([]byte, 16<<10)
	n, err := r.stream.Read(ctx, buf, timeout)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.tel.feed(buf[:n]) {
		switch e.verb {
		case 0:
			r.data = append(r.data, e.data...)
		case telSB:
			if e.option == optComPort && e.command >= comServer {
				r.acks = append(r.acks, e)
			}
		case telDONT, telWONT:
			if e.option == optComPort {
				r.no = true
			}
		}
	}
	return nil
}

// take moves user bytes to p.
func (r *remote) take(p []byte) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := copy(p, r.data)
	r.data = r.data[n:]
	return n
}

func (r *remote) Read(ctx context.Context, p []byte, timeout time.Duration) (int, error) {
	end := time.Now().Add(timeout)
	for {
		if n := r.take(p); n > 0 {
			return n, nil
		}
		left := time.Until(end)
		if left <= 0 {
			return 0, os.ErrDeadlineExceeded
		}
		// In short turns, so that a change of lines on another goroutine gets
		// at the socket.
		r.read.Lock()
		err := r.fill(ctx, min(left, 100*time.Millisecond))
		r.read.Unlock()
		if err != nil && !isTimeout(err) {
			return 0, err
		}
	}
}

func (r *remote) Write(ctx context.Context, p []byte) error {
	return r.stream.Write(ctx, escape(make([]byte, 0, len(p)+len(p)/64), p))
}

// confirm sends requests and waits until the server has answered all of them.
func (r *remote) confirm(ctx context.Context, requests []byte, want ...telnetEvent) error {
	r.mu.Lock()
	r.acks = nil
	r.mu.Unlock()
	if err := r.stream.Write(ctx, requests); err != nil {
		return err
	}
	end := time.Now().Add(confirmTimeout)
	for {
		r.mu.Lock()
		refused := r.no
		for _, a := range r.acks {
			for i, w := range want {
				if a.command == w.command+comServer && (w.value == nil || len(a.value) > 0 && a.value[0] == w.value[0]) {
					want = append(want[:i:i], want[i+1:]...)
					if w.command == comSetBaud && len(a.value) == 4 {
						r.baud = int(binary.BigEndian.Uint32(a.value))
					}
					break
				}
			}
		}
		r.acks = nil
		r.mu.Unlock()
		if len(want) == 0 {
			return nil
		}
		if refused {
			return errors.New("the server has no COM-PORT-OPTION")
		}
		left := time.Until(end)
		if left <= 0 {
			return fmt.Errorf("the server did not answer within %s", confirmTimeout)
		}
		r.read.Lock()
		err := r.fill(ctx, min(left, 100*time.Millisecond))
		r.read.Unlock()
		if err != nil && !isTimeout(err) {
			return err
		}
	}
}

func (r *remote) SetBaud(ctx context.Context, baud int) error {
	if err := r.confirm(ctx, comPort(nil, comSetBaud, baudValue(baud)...), telnetEvent{command: comSetBaud}); err != nil {
		return err
	}
	if r.baud != 0 && r.baud != baud {
		return fmt.Errorf("%s: the server's port does %d baud instead of %d", r.info.Name, r.baud, baud)
	}
	return nil
}

// SetLines sends both lines in one segment; espalier's own server applies them
// in one step.
func (r *remote) SetLines(ctx context.Context, dtr, rts bool) error {
	d, s := byte(ctlDTROff), byte(ctlRTSOff)
	if dtr {
		d = ctlDTROn
	}
	if rts {
		s = ctlRTSOn
	}
	// The order matters where a server applies one after the other: RTS first
	// when it is asserted keeps the chip in reset while DTR changes.
	a, b := d, s
	if rts {
		a, b = s, d
	}
	return r.confirm(ctx, comPort(comPort(nil, comSetControl, a), comSetControl, b),
		telnetEvent{command: comSetControl, value: []byte{d}}, telnetEvent{command: comSetControl, value: []byte{s}})
}
