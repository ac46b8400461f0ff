package radio

import (
	"slices"

	"espalier.dev/espalier/emu/dot11"
	"espalier.dev/espalier/emu/faults"
)

// maxStations and maxBuffered bound the memory that stations can make an access
// point use.
const (
	maxStations = 64
	maxBuffered = 64
)

// Station is the state of a station at an access point.
type Station struct {
	Addr          [6]byte
	AID           int  // 0: not associated
	Authenticated bool // 802.11 authentication, before association
	Keyed         bool // data is forwarded: keys are installed, or the network is open
	PowerSave     bool
	Rekeying      bool // it has not confirmed the last group key
	QoS           bool
}

type station struct {
	Station
	addr     dot11.Addr
	hs       handshake
	ptk      ptk
	txPN     dot11.PN
	rxPN     [17]dot11.PN // by TID; management frames have their own
	last     uint16       // sequence number of the last frame, for duplicates
	seen     bool
	buffered []dot11.Frame // in power save mode; not encrypted yet
}

// Stations returns the stations that have authenticated.
func (ap *AccessPoint) Stations() []Station {
	var out []Station
	for _, st := range ap.stations {
		s := st.Station
		s.Rekeying = st.hs.group
		out = append(out, s)
	}
	return out
}

// GroupKeys returns how many group keys there have been so far, with the one
// in use.
func (ap *AccessPoint) GroupKeys() int { return ap.groups }

func (ap *AccessPoint) station(a dot11.Addr) *station {
	for _, st := range ap.stations {
		if st.addr == a {
			return st
		}
	}
	return nil
}

// admit returns a new station with an address and removes the former one.
func (ap *AccessPoint) admit(a dot11.Addr) *station {
	ap.forget(a)
	if len(ap.stations) == maxStations {
		ap.stations = slices.Delete(ap.stations, 0, 1)
	}
	st := &station{addr: a, Station: Station{Addr: a, Authenticated: true}}
	ap.stations = append(ap.stations, st)
	return st
}

func (ap *AccessPoint) forget(a dot11.Addr) {
	ap.stations = slices.DeleteFunc(ap.stations, func(st *station) bool { return st.addr == a })
}

// freeAID returns an association identifier that is not in use.
func (ap *AccessPoint) freeAID() int {
	for aid := 1; ; aid++ {
		if !slices.ContainsFunc(ap.stations, func(st *station) bool { return st.AID == aid }) {
			return aid
		}
	}
}

// duplicate reports whether a frame is a retransmission of one that was already
// received, because the acknowledgement was lost, 10.3.2.14.
func (st *station) duplicate(f dot11.Frame) bool {
	repeated := st.seen && f.Has(dot11.Retry) && f.Sequence() == st.last
	st.last, st.seen = f.Sequence(), true
	return repeated
}

// SetFaults replaces the faults, from now on: a fault that starts later than the
// last transmission is injected when its time comes.
func (ap *AccessPoint) SetFaults(s faults.Schedule) {
	ap.cfg.Faults, ap.applyAt = s, 0
}
