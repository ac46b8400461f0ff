package console

import (
	"strconv"
	"strings"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/monitor"
)

// ShowAddress writes the functions at an address, the innermost first, or the
// event "address".
func ShowAddress(out *ui.UI, addr uint32, frames []firmware.Frame) {
	if len(frames) == 0 {
		out.Printf("%s ??", Address(addr))
	}
	for _, l := range NoteLines(monitor.Note{Addr: addr, Frames: frames}) {
		out.Printf("%s", strings.TrimPrefix(l, "  "))
	}
	out.Event("address", NewPlace(addr, "", frames))
}

// ParseAddress reads an address as logs and debuggers print it: 0x and up to
// eight hex digits, or eight without 0x; a colon or comma may follow, and of
// PC:SP, as in a backtrace, it takes the first.
func ParseAddress(s string) (uint32, bool) {
	s, _, _ = strings.Cut(strings.TrimRight(s, ",;"), ":")
	digits, prefixed := strings.CutPrefix(strings.ToLower(s), "0x")
	if !prefixed && len(digits) != 8 {
		return 0, false
	}
	v, err := strconv.ParseUint(digits, 16, 32)
	return uint32(v), err == nil
}
