package parts

import (
	"slices"
	"time"

	"espalier.dev/espalier/emu"
)

// Timing of the WS2812B (data sheet): a one is high for 0.8 us, a zero for 0.4 us,
// each within 0.15 us; 50 us low end a frame, 280 us in later versions.
const (
	wsThreshold = 600 * time.Nanosecond
	wsLatch     = 50 * time.Microsecond
)

// RGB is a colour of an LED.
type RGB struct{ R, G, B byte }

// WS2812 is a strip of RGB LEDs with one data line.
type WS2812 struct {
	Pin  int
	LEDs int
	// Changed, if not nil, is called when the strip shows other colours.
	Changed func([]RGB)

	pin   *emu.Terminal
	latch *emu.Timer
	shown []RGB
	bits  []byte // received, one byte per bit
	rose  time.Duration
}

// Attach implements emu.Part.
func (w *WS2812) Attach(b *emu.Board) error {
	w.shown = make([]RGB, w.LEDs)
	w.latch = b.NewTimer(w.show)
	w.pin = b.NewTerminal(w.edge)
	b.AddStateFunc(w.state)
	b.Join(w.pin.Pin(), w.Pin)
	return nil
}

func (w *WS2812) edge(high bool) {
	now := w.pin.Now()
	if high {
		w.rose = now
		w.latch.Stop()
		return
	}
	if len(w.bits) < 24*w.LEDs { // the strip passes on what is not for it
		var bit byte
		if now-w.rose >= wsThreshold {
			bit = 1
		}
		w.bits = append(w.bits, bit)
	}
	w.latch.Set(emu.At(now + wsLatch))
}

// show is the end of a frame: complete triples are shown.
func (w *WS2812) show() {
	old := slices.Clone(w.shown)
	for i := 0; len(w.bits) >= 24; i, w.bits = i+1, w.bits[24:] {
		var v uint32
		for _, bit := range w.bits[:24] {
			v = v<<1 | uint32(bit)
		}
		w.shown[i] = RGB{R: byte(v >> 8), G: byte(v >> 16), B: byte(v)}
	}
	w.bits = w.bits[:0]
	if w.Changed != nil && !slices.Equal(old, w.shown) {
		w.Changed(w.Colors())
	}
}

// Colors returns what the LEDs show.
func (w *WS2812) Colors() []RGB { return slices.Clone(w.shown) }

func (w *WS2812) state(s *emu.State) {
	flat := make([]byte, 0, 3*len(w.shown))
	for _, c := range w.shown {
		flat = append(flat, c.R, c.G, c.B)
	}
	s.Bytes(&flat)
	s.Bytes(&w.bits)
	s.Fixed(&w.rose)
	if !s.Loading() || s.Err() != nil {
		return
	}
	for i := range w.shown {
		if 3*i+2 < len(flat) {
			w.shown[i] = RGB{flat[3*i], flat[3*i+1], flat[3*i+2]}
		}
	}
	w.bits = w.bits[:min(len(w.bits), 24*w.LEDs)]
}
