package session

import (
	"context"
	"time"

	"espalier.dev/espalier/serial"
)

// vanished handles a port that is gone: it waits for a port that can come back,
// and otherwise ends the session. A native USB port vanishes when its chip
// sleeps or resets, any port when its cable is pulled.
func (r *run) vanished(ctx, inner context.Context, gone *serial.GoneError) error {
	u := r.s.UI
	port, ok := r.board.(reconnecter)
	if !ok || !port.Reconnects() {
		if ok && port.Closed(gone) {
			gone = &serial.GoneError{Name: gone.Name}
		}
		if gone.Err != nil {
			return gone
		}
		if r.input.keyboard {
			u.Note("%v", gone) // the user did not end it
		} else {
			u.Debugf("%v", gone)
		}
		r.monitor.Close(r.board.Now())
		return nil
	}
	r.monitor.Flush(r.board.Now())
	u.Note("%v; waiting for it", gone)
	return r.reconnect(ctx, inner, port)
}

// reconnect waits for a port and handles keys meanwhile. --timeout and --for go
// on.
func (r *run) reconnect(ctx, inner context.Context, port reconnecter) error {
	waiting, cancel := context.WithCancel(inner)
	defer cancel()
	if limit := r.s.opt.For; limit > 0 {
		waiting, cancel = context.WithTimeout(waiting, max(limit-r.board.Now(), time.Millisecond))
		defer cancel()
	}
	back := make(chan error, 1)
	go func() { back <- port.Reconnect(waiting) }()
	for {
		select {
		case e := <-r.input.events:
			switch e.act {
			case actQuit:
				r.quit = true
				cancel()
			case actEnd:
				r.input.ended = true
			case actSend, actReset: // there is no port to send them to
			default:
				r.handle(waiting, e)
			}
		case err := <-back:
			now := r.board.Now()
			switch {
			case err == nil:
				r.s.UI.Note("%s is back", port.Name())
			case r.quit:
				r.monitor.Close(now)
			case ctx.Err() != nil:
				return ctx.Err()
			case inner.Err() != nil:
				r.monitor.Timeout(now)
			case waiting.Err() != nil:
				r.monitor.Tick(max(now, r.s.opt.For))
			default:
				return err
			}
			return nil
		}
	}
}
