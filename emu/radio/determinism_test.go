package radio

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"runtime"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/rv32"
)

// runResult identifies a run: time, trace, console, and a hash of every frame on
// the medium.
type runResult struct {
	now    emu.Time
	trace  uint64
	text   string
	frames uint64
}

func fingerprint(t testing.TB, seed uint64, engine rv32.Engine, lines ...string) runResult {
	t.Helper()
	h := fnv.New64a()
	s := newTestbed(t, setup{firmware: newLine, seed: seed, engine: engine, ap: Config{GroupRekey: 300 * emu.Millisecond, Faults: schedule(t, lines...)},
		capture: func(at emu.Time, packet []byte) {
			_ = binary.Write(h, binary.LittleEndian, at)
			h.Write(packet)
		}})
	res := s.board.Run(t.Context(), emu.UntilText("200 OK"), emu.Limit(3*time.Second))
	return runResult{emu.At(res.Now), res.Trace, s.text.String(), h.Sum64()}
}

// The same image, seed and faults give the same run with every engine and number
// of processors; another seed gives another run.
func TestSameSeedSameRun(t *testing.T) {
	devtest.Long(t, "firmware runs for seconds")
	lines := []string{"radio-loss 20%", "at 980ms deauth"}
	want := fingerprint(t, 1, rv32.EngineBlock, lines...)
	for range 3 {
		if got := fingerprint(t, 1, rv32.EngineBlock, lines...); got != want {
			t.Fatalf("another run: %+v, want %+v", got, want)
		}
	}
	before := runtime.GOMAXPROCS(1)
	got := fingerprint(t, 1, rv32.EngineBlock, lines...)
	runtime.GOMAXPROCS(before)
	if got != want {
		t.Errorf("on one processor: %+v, want %+v", got, want)
	}
	if got := fingerprint(t, 1, rv32.EngineReference, lines...); got != want {
		t.Errorf("reference engine: %+v, want %+v", got, want)
	}
	if got := fingerprint(t, 2, rv32.EngineBlock, lines...); got.trace == want.trace || got.frames == want.frames {
		t.Error("the seed makes no difference")
	}
}

// Two chips share the medium: both join, and the medium carries one frame at a
// time. They run in turns of a millisecond.
func TestTwoChips(t *testing.T) {
	devtest.Long(t, "firmware runs for seconds")
	run := func() (out [2]runResult) {
		var last emu.Time
		s := newTestbed(t, setup{firmware: newLine, capture: func(at emu.Time, p []byte) {
			if at < last {
				t.Error("frames out of order")
			}
			last = at
		}})
		other := newTestbed(t, setup{firmware: oldLine})
		second, err := newBoard(t, oldLine, s.medium.Antenna(), [6]byte{2, 0, 0, 0, 0, 9}, func(o emu.Output) { other.text.Write(o.Data) })
		if err != nil {
			t.Fatal(err)
		}
		boards := [2]*emu.Board{s.board, second}
		for range 1500 {
			for i, b := range boards {
				res := b.Run(t.Context(), emu.Limit(time.Millisecond))
				out[i].now, out[i].trace = emu.At(res.Now), res.Trace
			}
		}
		out[0].text, out[1].text = s.text.String(), other.text.String()
		if n := len(s.ap.Stations()); n != 2 {
			t.Errorf("%d stations", n)
		}
		return out
	}
	a := run()
	for i, p := range a {
		if !bytes.Contains([]byte(p.text), []byte("200 OK")) {
			t.Errorf("chip %d:\n%s", i, p.text)
		}
	}
	if b := run(); a != b {
		t.Error("two runs differ")
	}
}
