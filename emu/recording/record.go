package recording

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"

	"espalier.dev/espalier/emu/chip"
)

// Recorder writes a recording. It is a chip.Radio in front of another.
type Recorder struct {
	inner chip.Radio
	enc   *json.Encoder
	err   error
}

// NewRecorder writes the header of a recording. Inner is the medium that the
// chip's radio would have without the recorder; with a nil inner the recorder
// must not be used as a Radio. Errors of w are returned by Finish.
func NewRecorder(w io.Writer, h Header, inner chip.Radio) *Recorder {
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

// Tune implements chip.Radio.
func (r *Recorder) Tune(now chip.Time, channel int) { r.inner.Tune(now, channel) }

// Next implements chip.Radio.
func (r *Recorder) Next() chip.Time { return r.inner.Next() }

// Transmit implements chip.Radio.
func (r *Recorder) Transmit(now chip.Time, f chip.RadioTX) (done chip.Time, acked bool) {
	sum := sumOf(f.Frame)
	done, acked = r.inner.Transmit(now, f)
	r.write(line{At: now, TX: sum, Done: done, Acked: acked})
	return done, acked
}

// Receive implements chip.Radio.
func (r *Recorder) Receive(now chip.Time) (chip.RadioRX, bool) {
	f, ok := r.inner.Receive(now)
	if ok {
		r.write(line{At: now, RX: f.Frame, Channel: f.Channel, Level: f.Level})
	} else {
		r.write(line{At: now, Idle: true})
	}
	return f, ok
}

// Finish writes the inputs of the board (emu.Board.Inputs) and the end of the
// run, and returns the first error of writing.
func (r *Recorder) Finish(inputs []chip.Input, end End) error {
	for _, in := range inputs {
		r.write(line{At: in.At, Input: &input{
			Kind: in.Kind, Port: in.Port, Data: in.Data, Pin: in.Pin, Level: in.Level, Strap: in.Strap,
			Other: in.Other, MilliVolts: in.Source.MilliVolts, Ohms: in.Source.Ohms, MilliCelsius: in.MilliCelsius,
		}})
	}
	r.write(line{End: &end})
	return r.err
}

func sumOf(frame []byte) string {
	h := fnv.New64a()
	h.Write(frame)
	return fmt.Sprintf("%016x", h.Sum64())
}
