package serial

import (
	"context"
	"encoding/binary"
	"net"
	"slices"
	"sync"
	"time"
)

// access is an RFC 2217 access server for one client.
//
// Clients set DTR and RTS one after the other, with a round trip between, and
// a board that is held in reset (RTS) would start while both are asserted,
// before it sees its boot pin low. So a DTR that is asserted during reset waits
// for the RTS that must follow, and both change in one step.
type access struct {
	port Port
	conn net.Conn
	tel  telnet
	mu   sync.Mutex // of writing to conn

	dtr, rts bool // as the client has them
	reset    bool // the last state of the lines holds the chip in reset
	hold     *time.Timer
}

// holdDTR is how long a DTR waits for its RTS.
const holdDTR = 400 * time.Millisecond

func (a *access) send(b []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := a.conn.Write(b)
	return err
}

// serve reads the client until it leaves (nil) or the port fails.
func (a *access) serve(ctx context.Context) error {
	if err := a.send([]byte{
		telIAC, telWILL, optBinary, telIAC, telDO, optBinary,
		telIAC, telWILL, optSGA, telIAC, telDO, optSGA,
		telIAC, telDO, optComPort,
	}); err != nil {
		return nil
	}
	chunks := make(chan []byte)
	done := make(chan struct{})
	defer close(done)
	go func() {
		defer close(chunks)
		for {
			buf := make([]byte, 16<<10)
			n, err := a.conn.Read(buf)
			if n > 0 {
				select {
				case chunks <- buf[:n]:
				case <-done:
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	a.hold = time.NewTimer(time.Hour)
	defer a.hold.Stop()
	for {
		select {
		case b, ok := <-chunks:
			if !ok {
				return nil
			}
			if err := a.handle(ctx, b); err != nil {
				return err
			}
		case <-a.hold.C:
			if err := a.lines(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// handle does what came in one piece. Changes of lines that follow each other
// directly are one step.
func (a *access) handle(ctx context.Context, b []byte) error {
	events := a.tel.feed(b)
	for i, e := range events {
		switch e.verb {
		case 0:
			if err := a.port.Write(ctx, e.data); err != nil {
				return err
			}
		case telDO:
			a.answer(e.option, telWILL, telWONT)
		case telWILL:
			a.answer(e.option, telDO, telDONT)
		case telSB:
			if e.option != optComPort {
				continue
			}
			last := i+1 == len(events) || !isLine(events[i+1]) || sameLine(e, events[i+1])
			if err := a.command(ctx, e, last); err != nil {
				return err
			}
		}
	}
	return nil
}

func isLine(e telnetEvent) bool {
	return e.verb == telSB && e.option == optComPort && e.command == comSetControl && len(e.value) == 1 &&
		slices.Contains([]byte{ctlDTROn, ctlDTROff, ctlRTSOn, ctlRTSOff}, e.value[0])
}

func sameLine(a, b telnetEvent) bool {
	return isLine(a) && isLine(b) && (a.value[0] >= ctlAskRTS) == (b.value[0] >= ctlAskRTS)
}

// answer agrees to the options that a port needs and to no others. What was
// offered at the start is not answered again, or both ends would never stop.
func (a *access) answer(option, yes, no byte) {
	switch option {
	case optBinary, optSGA:
		return
	case optComPort:
		if yes == telDO {
			return
		}
		_ = a.send([]byte{telIAC, yes, option})
	default:
		_ = a.send([]byte{telIAC, no, option})
	}
}

// command does one command of the COM-PORT-OPTION and confirms it. last is
// false when more lines follow in the same piece.
func (a *access) command(ctx context.Context, e telnetEvent, last bool) error {
	reply := e.value
	switch e.command {
	case comSignature:
		reply = []byte("espalier")
	case comSetBaud:
		if len(e.value) != 4 {
			return nil
		}
		if baud := binary.BigEndian.Uint32(e.value); baud != 0 {
			if err := a.port.SetBaud(ctx, int(baud)); err != nil {
				reply = baudValue(DefaultBaud)
			}
		} else {
			reply = baudValue(DefaultBaud)
		}
	case comSetDataSize:
		reply = []byte{8}
	case comSetParity, comSetStopSize:
		reply = []byte{1}
	case comSetControl:
		if len(e.value) != 1 {
			return nil
		}
		r, err := a.control(ctx, e.value[0], last)
		if err != nil {
			return err
		}
		reply = []byte{r}
	case comPurge, comSetLineMask, comSetModemMask:
	default:
		return nil
	}
	return ignore(a.send(comPort(nil, e.command+comServer, reply...)))
}

// ignore is for what cannot be sent to a client that has left: reading notices.
func ignore(error) error { return nil }

// control does one SET-CONTROL and returns the confirmed value.
func (a *access) control(ctx context.Context, v byte, last bool) (byte, error) {
	switch v {
	case ctlDTROn, ctlDTROff:
		a.dtr = v == ctlDTROn
	case ctlRTSOn, ctlRTSOff:
		a.rts = v == ctlRTSOn
	case ctlAskDTR:
		return choose(a.dtr, ctlDTROn, ctlDTROff), nil
	case ctlAskRTS:
		return choose(a.rts, ctlRTSOn, ctlRTSOff), nil
	case ctlAskBreak, ctlBreakOn, ctlBreakOff:
		return ctlBreakOff, nil
	default:
		return ctlNoFlow, nil
	}
	if !last {
		return v, nil
	}
	if a.reset && a.dtr && a.rts {
		a.hold.Reset(holdDTR)
		return v, nil
	}
	return v, a.lines(ctx)
}

func choose(on bool, yes, no byte) byte {
	if on {
		return yes
	}
	return no
}

// lines sets both lines. A port without modem lines is not an error.
func (a *access) lines(ctx context.Context) error {
	a.hold.Reset(time.Hour)
	a.reset = a.rts && !a.dtr
	err := a.port.SetLines(ctx, a.dtr, a.rts)
	if unsupported(err) {
		return nil
	}
	return err
}
