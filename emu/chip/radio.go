package chip

// Radio is the medium that a chip's antenna reaches; emu/radio implements one. All
// methods are called on the goroutine of Run, with guest times that never
// decrease, and return at once.
type Radio interface {
	// Tune sets the channel of the 2.4 GHz band on which the chip receives, 1 to
	// 14, or 0 when its receiver is off or between channels.
	Tune(now Time, channel int)

	// Transmit sends a frame. It is over at done, with the acknowledgement or
	// the time in which none came; acked is only true for a frame to one
	// station that heard it.
	Transmit(now Time, f RadioTX) (done Time, acked bool)

	// Next returns when Receive must be called next; it may have passed.
	Next() Time

	// Receive returns the next frame that has arrived on the channel that the chip
	// is tuned to, whatever its destination address.
	Receive(now Time) (f RadioRX, ok bool)
}

// RadioTX is a frame that the chip transmits.
type RadioTX struct {
	// Frame is an IEEE 802.11 MPDU without FCS. It is only valid during the
	// call.
	Frame []byte
	// Channel is where the chip is tuned to, 0 between channels.
	Channel int
	// Rate is in units of 500 kbit/s; a rate of 802.11n is rounded.
	Rate int
	// WaitACK: the sender waits for an acknowledgement.
	WaitACK bool
}

// RadioRX is a frame that the chip receives.
type RadioRX struct {
	// Frame is an IEEE 802.11 MPDU without FCS. The chip may change it.
	Frame []byte
	// Channel is that of the reception, Level its signal level in dBm.
	Channel int
	Level   int8
}

// noRadio is the medium of a board without one: no frame is acknowledged.
type noRadio struct{}

func (noRadio) Tune(Time, int)               {}
func (noRadio) Next() Time                   { return Never }
func (noRadio) Receive(Time) (RadioRX, bool) { return RadioRX{}, false }
func (noRadio) Transmit(now Time, f RadioTX) (Time, bool) {
	return now.Add(300 * Microsecond), false
}

// Radio returns the medium that the antenna reaches, never nil.
func (m *Machine) Radio() Radio {
	if m.cfg.Radio == nil {
		return noRadio{}
	}
	return m.cfg.Radio
}

// OnRun has f called at the beginning of every Board.Run: between two of them
// things outside the chip may have changed.
func (m *Machine) OnRun(f func()) { m.onRun = append(m.onRun, f) }

// NoteInput adds bytes that came from outside to the trace hash.
func (m *Machine) NoteInput(p []byte) {
	m.trace.mix(uint64(m.Now()), uint64(len(p))|4<<48)
	m.trace.bytes(p)
}
