package radio

import (
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/dot11"
	"espalier.dev/espalier/internal/devtest"
)

// Firmware in power save mode wakes up for every third beacon by the TBTT
// interrupt, sees in the TIM that frames are buffered for it, and fetches them:
// here the messages of the group key handshake.
func TestFirmwarePowerSave(t *testing.T) {
	devtest.Long(t, "firmware runs for seconds")
	var sleeps, wakes int
	s := newTestbed(t, setup{firmware: "sleepy/wifi-old.elf", ap: Config{GroupRekey: 3 * emu.Second}, capture: func(_ emu.Time, p []byte) {
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
			t.Errorf("%v: power save %v, group key not confirmed %v, %d frames buffered", s.board.Now(), st.PowerSave, st.hs.group, len(st.buffered))
		}
	}
	if sleeps < 8 || wakes < 4 {
		t.Errorf("%d null frames with power management, %d without", sleeps, wakes)
	}
}
