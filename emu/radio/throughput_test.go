package radio

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/lan"
	"espalier.dev/espalier/internal/devtest"
)

// Firmware receives a megabyte over TCP at 5 Mbit/s of guest time or more.
func TestThroughput(t *testing.T) {
	devtest.Long(t, "firmware runs for seconds")
	const size = 1 << 20
	network, err := lan.New(lan.Config{Files: fstest.MapFS{"index.html": {Data: []byte(strings.Repeat("0123456789abcdef", size/16))}}})
	if err != nil {
		t.Fatal(err)
	}
	s := newTestbed(t, setup{firmware: oldLine, ap: Config{DS: network}})
	s.until(" us\n", 30*emu.Second)
	text := s.text.String()
	var bytes, micros int
	if _, err := fmt.Sscanf(text[strings.LastIndex(text, "received"):], "received %d bytes in %d us", &bytes, &micros); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	rate := 8 * float64(bytes) / float64(micros)
	t.Logf("%.1f Mbit/s", rate)
	if bytes < size || rate < 5 {
		t.Errorf("%d bytes in %d us: %.1f Mbit/s", bytes, micros, rate)
	}
}
