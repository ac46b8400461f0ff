package session

import (
	"errors"
	"fmt"
	"strings"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/testbed"
	"espalier.dev/espalier/internal/fault"
)

// note describes an environment to readers of a recording.
func (e *Environment) note() string {
	note := []string{fmt.Sprintf("net %s, ssid %s, channel %d", e.network, e.ssid, e.channel)}
	for _, f := range e.faults {
		note = append(note, f.String())
	}
	return strings.Join(note, "; ")
}

// finish completes the recording of a run, or compares the run with the replayed
// recording.
func (b *Emulated) finish() error {
	var outcome testbed.Outcome
	var err error
	b.port.Do(func(board *emu.Board) { outcome, err = b.around.bed.Finish(board) })
	var mismatch *testbed.MismatchError
	if errors.As(err, &mismatch) {
		return fault.Wrap(fault.Differ, err, "", "the recording may be of another version of espalier")
	}
	if err != nil {
		return fault.Wrap(fault.Usage, err, "recording the run")
	}
	instructions, trace := b.port.Progress()
	switch outcome {
	case testbed.Equal:
		b.ui.Note("the run is the recorded one: %d instructions, trace %s", instructions, traceText(trace))
	case testbed.EqualSoFar:
		if _, ok := b.around.bed.End(); !ok {
			b.ui.Note("the run is the same as far as the recording goes")
			return nil
		}
		b.ui.Note("the recording continues; up to here the run is the same")
	}
	return nil
}

// traceText is a trace hash as it is printed.
func traceText(trace uint64) string { return fmt.Sprintf("%016x", trace) }
