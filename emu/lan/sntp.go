package lan

import (
	"encoding/binary"
	"time"

	"espalier.dev/espalier/emu/faults"
)

const ntpSize = 48

// sntp returns the response to a client (RFC 4330) with the date at guest time,
// nil if b is not a request.
func (n *Network) sntp(b []byte) []byte {
	if len(b) < ntpSize || b[0]&7 != 3 {
		return nil
	}
	version := b[0] >> 3 & 7
	if version == 0 || version > 4 {
		return nil
	}
	date := n.date()
	if f, ok := n.fault(faults.ClockSkew); ok {
		date = date.Add(time.Duration(f.Delay.Nanoseconds()))
	}
	stamp := ntpTime(date)
	r := make([]byte, ntpSize)
	r[0], r[1], r[2], r[3] = version<<3|4, 1, b[2], 0xec // stratum 1, 1 us
	copy(r[12:], "LOCL")
	binary.BigEndian.PutUint64(r[16:], stamp) // reference
	copy(r[24:32], b[40:48])                  // originate: the client's transmit time
	binary.BigEndian.PutUint64(r[32:], stamp) // receive
	binary.BigEndian.PutUint64(r[40:], stamp) // transmit
	return r
}

// ntpTime returns an NTP timestamp: seconds since 1900 and a fraction, 32 bits
// each.
func ntpTime(t time.Time) uint64 {
	const since1900 = 2208988800
	return uint64(t.Unix()+since1900)<<32 | uint64(t.Nanosecond())<<32/1e9
}
