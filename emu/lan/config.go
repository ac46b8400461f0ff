package lan

import (
	"io/fs"
	"net/netip"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/faults"
)

// Config describes a network. The zero value is a good island.
type Config struct {
	// Seed decides about everything that is random: initial sequence numbers
	// and which frames a fault hits.
	Seed uint64

	// Faults is what goes wrong, and when.
	Faults faults.Schedule

	// Names are hosts that the name server knows besides its own, in lower
	// case without a final dot.
	Names map[string]netip.Addr

	// Files is served at http://espalier.lan/, and with https, when it is not
	// nil.
	Files fs.FS

	// Epoch is the date at guest time zero; zero is DefaultEpoch.
	Epoch time.Time

	// Uplink is the way out and in; nil is an island. With Isolated, too, nothing
	// of the guest leaves: the uplink only brings what comes in.
	Uplink   Uplink
	Isolated bool

	// Log is told of what happens, a line each: leases, names, requests.
	Log func(at emu.Time, line string)

	// Capture sees every frame that enters or leaves, with a fault's losses
	// already lost. The slice is only valid during the call.
	Capture func(at emu.Time, frame []byte)

	// Keys is told the secrets of TLS connections with the island, before the
	// first frame that they decipher: lines of the key log format of NSS.
	Keys func(lines []byte)
}

// DefaultEpoch is the date at power-on of a board whose network has no other:
// a constant, so that the time servers of two runs agree.
func DefaultEpoch() time.Time { return time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC) }

// Domain is the island's own domain; its name is a host, and so is every name
// in it.
const Domain = "espalier.lan"

// Addresses of the island. Leases are 192.168.71.100 and up.
var (
	gateway4   = netip.AddrFrom4([4]byte{192, 168, 71, 1})
	subnet4    = netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, 71, 0}), 24)
	broadcast4 = netip.AddrFrom4([4]byte{192, 168, 71, 255})
	everybody4 = netip.AddrFrom4([4]byte{255, 255, 255, 255})

	prefix6   = netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 0x65, 0x73, 0x70, 0x61, 0x6c}), 64)
	gateway6  = netip.AddrFrom16([16]byte{0xfd, 0x65, 0x73, 0x70, 0x61, 0x6c, 15: 1})
	linkLocal = netip.AddrFrom16([16]byte{0xfe, 0x80, 15: 1})
	allNodes  = netip.AddrFrom16([16]byte{0xff, 0x02, 15: 1})
)

// gatewayMAC is locally administered.
var gatewayMAC = mac{0x02, 0x65, 0x73, 0x70, 0x00, 0x01}

// Gateway is the address of the router, which is also the name server, the
// time server and the host espalier.lan.
func Gateway() netip.Addr { return gateway4 }

// FirstLease is the address that the first station gets.
func FirstLease() netip.Addr { return lease4(0) }

func lease4(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 168, 71, byte(100 + i)}) }

// leases is how many stations can have an address at a time.
const leases = 100
