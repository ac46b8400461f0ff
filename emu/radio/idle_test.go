package radio

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/dot11"
	"espalier.dev/espalier/internal/devtest"
)

// Half an hour of guest time of a station in power save mode with a new group key
// every five minutes: it stays associated, sends no further management frame, and
// the heap does not grow. bench.IdleDay measures a day of it.
func TestIdleStation(t *testing.T) {
	devtest.Long(t, "firmware runs for half an hour of guest time")
	const (
		minute  = 60 * emu.Second
		maxLeak = 1 << 19 // bytes; 17,500 beacons are sent
	)
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	management := 0
	s := newTestbed(t, setup{firmware: "idle.elf", ap: Config{GroupRekey: 5 * minute}, capture: func(_ emu.Time, p []byte) {
		if f := dot11.Frame(p[radiotapLen:]); f.Type() == dot11.Management && !f.Is(dot11.Beacon) {
			management++
		}
	}})
	s.until("got ip", 5*emu.Second)
	s.board.Run(t.Context(), emu.Limit(time.Minute))
	before, keys, frames := heap(), s.ap.GroupKeys(), management
	res := s.board.Run(t.Context(), emu.Limit(30*time.Minute))
	after := heap()
	if st := s.ap.Stations(); len(st) != 1 || !st[0].Keyed || !st[0].PowerSave || st[0].Rekeying {
		t.Errorf("stations: %+v", st)
	}
	if n := s.ap.GroupKeys() - keys; n != 6 {
		t.Errorf("%d new group keys", n)
	}
	if text := s.text.String(); strings.Count(text, "connected") != 1 || len(res.Resets) > 0 || management != frames {
		t.Errorf("%d management frames, resets %v\n%s", management-frames, res.Resets, text)
	}
	if after-before > maxLeak {
		t.Errorf("the heap has grown by %d bytes", after-before)
	}
	t.Logf("%d M instructions, heap %d and %d bytes", res.Instructions/1e6, before, after)
}
