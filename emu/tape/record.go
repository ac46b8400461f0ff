package tape

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"

	"espalier.dev/espalier/emu"
)

// Recorder writes down what happens. It is an emu.Radio in front of another.
type Recorder struct {
	inner emu.Radio
	enc   *json.Encoder
	err   error
}

// NewRecorder writes the head of a recording. inner is what the board's antenna
// reaches; nil for a board without one, whose recorder is not to be used as its
// Radio.
func NewRecorder(w io.Writer, h Header, inner emu.Radio) *Recorder {
	h.Version, h.Radio = Version, inner != nil
	r := &Recorder{inner: inner, enc: json.NewEncoder(w)}
	r.err = r.enc.Encode(h)
	return r
}

func (r *Recorder) write(l line) {
	if r.err == nil {
		r.err = r.enc.Encode(l)
	}
}

// Tune implements emu.Radio.
func (r *Recorder) Tune(now emu.Time, channel int) { r.inner.Tune(now, channel) }

// Next implements emu.Radio.
func (r *Recorder) Next() emu.Time { return r.inner.Next() }

// Transmit implements emu.Radio.
func (r *Recorder) Transmit(now emu.Time, f emu.RadioTX) (done emu.Time, acked bool) {
	sum := sumOf(f.Frame)
	done, acked = r.inner.Transmit(now, f)
	r.write(line{At: now, TX: sum, Done: done, Acked: acked})
	return done, acked
}

// Receive implements emu.Radio.
func (r *Recorder) Receive(now emu.Time) (emu.RadioRX, bool) {
	f, ok := r.inner.Receive(now)
	if ok {
		r.write(line{At: now, RX: f.Frame, Channel: f.Channel, Level: f.Level})
	} else {
		r.write(line{At: now, Idle: true})
	}
	return f, ok
}

// Finish writes the inputs that the board was given and how far it went, and
// returns the first error of writing.
func (r *Recorder) Finish(inputs []emu.Input, end End) error {
	for _, in := range inputs {
		r.write(line{At: in.At, Input: &input{in.Kind, in.Port, in.Data, in.Pin, in.Level, in.Strap, in.Other, in.Source.MilliVolts, in.Source.Ohms}})
	}
	r.write(line{End: &end})
	return r.err
}

func sumOf(frame []byte) string {
	h := fnv.New64a()
	h.Write(frame)
	return fmt.Sprintf("%016x", h.Sum64())
}
