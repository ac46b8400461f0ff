package radio

import (
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/dot11"
	"espalier.dev/espalier/internal/devtest"
)

// Firmware that saves power sleeps between every third beacon, is woken by the
// TBTT interrupt, sees in the TIM that something waits for it, and fetches it:
// here the messages of the group key handshake.
func TestFirmwareSavesPower(t *testing.T) {
	devtest.Long(t, "firmware runs for seconds")
	var sleeps, wakes int
	s := newScene(t, setup{firmware: "sleepy/wifi-old.elf", ap: Config{GroupRekey: 3 * emu.Second}, capture: func(_ emu.Time, p []byte) {
		f := dot11.Frame(p[radiotapLen:])
		switch {
		case f.Type() != dot11.Data || f.HasData() || f.A2() != chip:
		case f.Has(dot11.PowerMgmt):
			sleeps++
		default:
			wakes++
		}
	}})
	s.until("200 OK", 3*emu.Second)
	for i := range 8 { // one second after each new key
		s.board.Run(t.Context(), emu.Limit(time.Duration(i+1)*3*time.Second+time.Second-s.board.Now()))
		st := s.ap.stations[0]
		if !st.PowerSave || st.hs.group || len(st.buffered) > 0 {
			t.Errorf("%v: power save %v, waits for the answer to the group key %v, %d frames wait", s.board.Now(), st.PowerSave, st.hs.group, len(st.buffered))
		}
	}
	if sleeps < 8 || wakes < 4 {
		t.Errorf("went to sleep %d times, woke up for frames %d times", sleeps, wakes)
	}
}
