package radio

import (
	"encoding/binary"

	"espalier.dev/espalier/emu"
)

// radiotapLen is the length of the header of appendRadiotap.
const radiotapLen = 23

// appendRadiotap appends a radiotap header: TSFT, flags, rate, channel,
// antenna signal.
func appendRadiotap(b []byte, at emu.Time, channel, rate int, level int8) []byte {
	const (
		present  = 1<<0 | 1<<1 | 1<<2 | 1<<3 | 1<<5
		band2GHz = 0x0080
		cck      = 0x0020
		ofdm     = 0x0040
	)
	flags := uint16(band2GHz | ofdm)
	if rate < 12 || rate == 22 {
		flags = band2GHz | cck
	}
	b = append(b, 0, 0, radiotapLen, 0)
	b = binary.LittleEndian.AppendUint32(b, present)
	b = binary.LittleEndian.AppendUint64(b, uint64(at)/uint64(emu.Microsecond))
	b = append(b, 0, byte(min(rate, 255)))
	b = binary.LittleEndian.AppendUint16(b, uint16(frequency(channel)))
	b = binary.LittleEndian.AppendUint16(b, flags)
	return append(b, byte(level))
}

// frequency returns the centre frequency of a channel in MHz.
func frequency(channel int) int {
	if channel == 14 {
		return 2484
	}
	return 2407 + 5*channel
}
