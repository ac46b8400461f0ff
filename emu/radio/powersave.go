package radio

import "espalier.dev/espalier/emu/dot11"

// setPowerSave follows the Power Management bit of a station's frames, 11.2.3, and
// sends the buffered frames when the station is awake.
func (ap *AccessPoint) setPowerSave(st *station, asleep bool) {
	st.PowerSave = asleep
	if !asleep {
		ap.release(st, len(st.buffered))
	}
}

// release sends the first n of the frames that are buffered for a station.
func (ap *AccessPoint) release(st *station, n int) {
	for range min(n, len(st.buffered)) {
		f := st.buffered[0]
		st.buffered = st.buffered[1:]
		if len(st.buffered) > 0 {
			f[1] |= dot11.MoreData >> 8
		}
		ap.encryptAndSend(st, f)
	}
}

// tim returns the body of the traffic indication map, 9.4.2.5: DTIM count, DTIM
// period (every beacon is one), bitmap control, partial virtual bitmap.
func (ap *AccessPoint) tim() []byte {
	var bitmap [maxStations/8 + 1]byte
	last := 0
	for _, st := range ap.stations {
		if len(st.buffered) > 0 && st.AID/8 < len(bitmap) {
			bitmap[st.AID/8] |= 1 << (st.AID % 8)
			last = max(last, st.AID/8)
		}
	}
	control := byte(0)
	if len(ap.groupBuffer) > 0 {
		control = 1
	}
	return append([]byte{0, 1, control}, bitmap[:last+1]...)
}
