package testbed

import (
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/defaultnet"
	"espalier.dev/espalier/emu/faults"
	"espalier.dev/espalier/emu/lan/uplink"
)

// Defaults of the emulated access point.
const (
	DefaultSSID       = defaultnet.SSID
	DefaultPassphrase = defaultnet.Passphrase
)

// Network is which network the board reaches through the access point.
type Network uint8

// Networks.
const (
	// Isolated is the emulated network alone. Forwarded ports of the host lead
	// into it, nothing leads out.
	Isolated Network = iota
	// Host also connects the board with the network of this machine, by the
	// sockets of this process. The run is not reproducible without a recording.
	Host
	// None is a board without an access point in reach.
	None
)

func (n Network) String() string {
	switch n {
	case Isolated:
		return "isolated"
	case Host:
		return "host"
	case None:
		return "none"
	}
	return "unknown"
}

// ParseNetwork reads the name of a Network.
func ParseNetwork(name string) (n Network, ok bool) {
	for n := range None + 1 {
		if n.String() == name {
			return n, true
		}
	}
	return 0, false
}

// Config describes a board and its surroundings. Only Board.ROM is required.
type Config struct {
	// Board is the board. New sets its fields Radio (unless it is set already,
	// which excludes Network and Replay) and Replay. Board.Seed also seeds the
	// access point and the network.
	Board emu.Config

	// Parts are attached to the board before its first instruction, in this
	// order.
	Parts []emu.Part

	Network Network
	// SSID, Passphrase and Channel (1 to 13) are those of the access point. An
	// empty SSID is DefaultSSID with DefaultPassphrase, an empty passphrase with
	// an SSID an open network, channel 0 is 1.
	SSID       string
	Passphrase string
	Channel    int

	// Hosts are the web servers of the network by host name or address, see
	// lan.Config.Handlers.
	Hosts map[string]http.Handler
	// Files is served at http://espalier.lan/ and https.
	Files fs.FS
	// Names are addresses that the name server returns, see lan.Config.Names.
	Names map[string]netip.Addr
	// Epoch is the date at guest time zero; zero is lan.DefaultEpoch.
	Epoch time.Time
	// Forward makes TCP ports of the board available on this machine. Such a run
	// is not reproducible without a recording.
	Forward []uplink.Forward
	// Faults are injected into the radio medium and the network.
	Faults faults.Schedule

	// Record receives a recording of the run; Finish completes it. Note is
	// written to its header, for readers.
	Record io.Writer
	Note   string
	// Replay is a recording to repeat, read by New. The recorded frames take the
	// place of the network: Record, Capture, Hosts and Forward do not apply.
	Replay io.Reader
	// Capture receives the frames of the radio medium (interface 0, "wlan") and
	// of the network (interface 1, "lan") as pcapng, with the secrets of TLS
	// connections.
	Capture io.Writer

	// Log receives leases, names, requests and connections, a line each, with
	// the guest time. Warn receives reasons why the run is not reproducible. Both
	// are called on the goroutine of Board.Run.
	Log  func(at time.Duration, line string)
	Warn func(reason string)
}
