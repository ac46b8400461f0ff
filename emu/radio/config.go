package radio

import (
	"fmt"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/dot11"
	"espalier.dev/espalier/emu/faults"
)

// Config describes an access point.
type Config struct {
	// SSID is the name of the network, 1 to 32 bytes.
	SSID string

	// Passphrase makes the network WPA2-Personal, 8 to 63 bytes; empty is an
	// open network.
	Passphrase string

	// Channel is 1 to 13; 0 is 1, the first channel that a station scans.
	Channel int

	// BSSID is the address of the access point; zero is 02:53:49:4d:00:01.
	BSSID [6]byte

	// RSSI is the level at which a chip receives the access point, in dBm; 0 is
	// -40.
	RSSI int8

	// Seed seeds the random number generators: nonces, group keys and the frames
	// that a fault hits.
	Seed uint64

	// DS is the network of the access point; nil: there is none.
	DS DistributionSystem

	// Faults are injected into the radio side. The faults of the network are
	// injected by the DS.
	Faults faults.Schedule

	// GroupRekey is the time between two group keys; 0: the first one is kept.
	GroupRekey emu.Duration

	// WMM announces quality of service, so that stations send QoS data frames.
	// HT announces 802.11n and implies WMM.
	WMM, HT bool
}

// DistributionSystem is the network of an access point (802.11 4.3.5). Frames are
// Ethernet II without FCS: destination, source, type, payload, at most 1514
// bytes. now never decreases from one call to the next.
type DistributionSystem interface {
	// Receive takes a frame of a station, which is only valid during the call.
	Receive(now emu.Time, frame []byte)
	// Next returns when Advance must be called next; it may have passed. ok is
	// false when nothing will happen without a frame.
	Next() (at emu.Time, ok bool)
	// Advance does what is due and calls deliver with the frames for stations,
	// which deliver keeps.
	Advance(now emu.Time, deliver func(frame []byte))
}

// ConfigError describes an invalid Config.
type ConfigError struct{ Problem string }

func (e *ConfigError) Error() string { return "access point: " + e.Problem }

const (
	defaultChannel = 1
	defaultLevel   = -40
	// sensitivity is the lowest level at which a frame is received.
	sensitivity = -94
)

func (c *Config) complete() error {
	if c.Channel == 0 {
		c.Channel = defaultChannel
	}
	if c.BSSID == [6]byte{} {
		c.BSSID = [6]byte{0x02, 0x53, 0x49, 0x4d, 0x00, 0x01}
	}
	if c.RSSI == 0 {
		c.RSSI = defaultLevel
	}
	if c.HT {
		c.WMM = true
	}
	switch {
	case len(c.SSID) == 0 || len(c.SSID) > 32:
		return &ConfigError{fmt.Sprintf("SSID has %d bytes; want 1 to 32", len(c.SSID))}
	case c.Passphrase != "" && (len(c.Passphrase) < 8 || len(c.Passphrase) > 63):
		return &ConfigError{fmt.Sprintf("passphrase has %d bytes; want 8 to 63", len(c.Passphrase))}
	case c.Channel < 1 || c.Channel > 13:
		return &ConfigError{fmt.Sprintf("channel %d; want 1 to 13", c.Channel)}
	case dot11.Addr(c.BSSID).Group():
		return &ConfigError{"BSSID is a group address"}
	case c.GroupRekey < 0:
		return &ConfigError{"interval of group keys is negative"}
	}
	return nil
}
