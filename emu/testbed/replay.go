package testbed

import (
	"fmt"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/recording"
)

// openReplay makes the board repeat a recording.
func (t *Testbed) openReplay(cfg *Config) error {
	r, err := recording.Read(cfg.Replay)
	if err != nil {
		return fmt.Errorf("reading recording: %w", err)
	}
	if err := r.Check(recording.NewHeader(cfg.Board)); err != nil {
		return &MismatchError{err.Error()}
	}
	t.recorded = r
	if r.Header.Radio {
		t.replay = r.Replay()
		t.Config.Radio = t.replay
	}
	t.Config.Replay = r.Inputs
	return nil
}

// End returns where the replayed recording ends. ok is false without a replay
// and when the recording was cut short.
func (t *Testbed) End() (end recording.End, ok bool) {
	if t.recorded == nil || t.recorded.End == (recording.End{}) {
		return recording.End{}, false
	}
	return t.recorded.End, true
}

// Outcome is what Finish found out about a replay.
type Outcome uint8

// Outcomes.
const (
	// NoReplay: the run was not a replay.
	NoReplay Outcome = iota
	// Equal: the run is the recorded one, to its end.
	Equal
	// EqualSoFar: the run is equal to the recorded one as far as it went, and the
	// recording continues or has no end.
	EqualSoFar
)

// Finish completes the recording of a board's run, or compares the run with the
// replayed recording. Errors are those of writing the recording, or a
// *MismatchError.
func (t *Testbed) Finish(b *emu.Board) (Outcome, error) {
	if t.recorder != nil {
		end := recording.End{At: emu.At(b.Now()), Instructions: b.Instructions(), Trace: b.Trace()}
		if err := t.recorder.Finish(b.Inputs(), end); err != nil {
			return NoReplay, fmt.Errorf("writing recording: %w", err)
		}
		return NoReplay, nil
	}
	if t.recorded == nil {
		return NoReplay, nil
	}
	if t.replay != nil && t.replay.Err() != nil {
		return NoReplay, &MismatchError{t.replay.Err().Error()}
	}
	end, ok := t.End()
	switch {
	case !ok, b.Instructions() != end.Instructions, emu.At(b.Now()) != end.At:
		return EqualSoFar, nil
	case b.Trace() != end.Trace:
		return NoReplay, &MismatchError{fmt.Sprintf("trace %016x, recorded %016x", b.Trace(), end.Trace)}
	}
	return Equal, nil
}

// MismatchError is a run that differs from the recording that it replays: it
// was made of something else, or it went differently.
type MismatchError struct{ Difference string }

func (e *MismatchError) Error() string { return "replay differs: " + e.Difference }
