package radio

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/faults"
	"espalier.dev/espalier/internal/devtest"
)

// randomSchedule returns random radio faults within nine seconds.
func randomSchedule(seed uint64) []string {
	r := faults.NewRandom(seed, "storm")
	kinds := []string{"no-network", "wrong-passphrase", "weak-signal -96dBm", "beacon-loss", "radio-loss 30%", "radio-loss 90%", "radio-loss 100%"}
	var lines []string
	for range 2 + r.N(6) {
		from := r.N(8000)
		if r.N(3) == 0 {
			lines = append(lines, fmt.Sprintf("at %dms deauth reason %d", from, 1+r.N(20)))
			continue
		}
		lines = append(lines, fmt.Sprintf("from %dms to %dms %s", from, from+1+r.N(9000-from), kinds[r.N(uint64(len(kinds)))]))
	}
	return lines
}

// After nine seconds of random faults the firmware's own retries restore the
// connection: the chip is never stuck. ESPALIER_STORMS=100 tries more schedules.
func TestFaultStorms(t *testing.T) {
	devtest.Long(t, "firmware runs for a minute, many times")
	n := 12
	if v := os.Getenv("ESPALIER_STORMS"); v != "" {
		if _, err := fmt.Sscan(v, &n); err != nil {
			t.Fatal(err)
		}
	}
	for seed := range uint64(n) {
		lines := randomSchedule(seed)
		s := newTestbed(t, setup{firmware: newLine, seed: seed, ap: Config{Faults: schedule(t, lines...)}})
		s.board.Run(t.Context(), emu.Limit(9*time.Second))
		res := s.board.Run(t.Context(), emu.UntilText("200 OK"), emu.Limit(90*time.Second))
		if res.Reason != emu.StopText || len(res.Resets) > 0 {
			t.Errorf("seed %d: %v, resets %v\n%s\n%s", seed, res.Reason, res.Resets, strings.Join(lines, "\n"), s.text.String())
		}
	}
}
