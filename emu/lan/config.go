package lan

import (
	"io/fs"
	"net/http"
	"net/netip"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/faults"
)

// Config describes a network. The zero value is an isolated network.
type Config struct {
	// Seed seeds the random number generators: initial sequence numbers, TLS
	// (see TLSSeeded) and the frames that a fault hits.
	Seed uint64

	// Faults are injected into the network.
	Faults faults.Schedule

	// Names are addresses that the name server returns for host names, which
	// are in lower case without a final dot.
	Names map[string]netip.Addr

	// Handlers serves hosts by name or address, over HTTP and HTTPS on ports 80
	// and 443. The key has no port; case and a final dot do not count. The name
	// server knows these names, also with an Uplink. A handler takes precedence
	// over Files and the built-in pages.
	//
	// A handler is called at the guest instant at which its request is complete,
	// by the goroutine that runs the network, and guest time is stopped until
	// it returns. r.Body is complete, with r.ContentLength bytes (at most 4 MiB);
	// r.RemoteAddr is the station, r.TLS is set for HTTPS; r.Context is never
	// cancelled. Header, Write and WriteHeader of the ResponseWriter work as in
	// net/http; the response is sent when the handler returns and has at most
	// 64 MiB. Flushing, hijacking (so WebSocket), 1xx statuses and trailers do
	// not exist. A panic with http.ErrAbortHandler resets the connection; any
	// other panic is passed on. A handler must not call the board or the
	// network. Runs are reproducible if its responses depend on nothing but the
	// requests: it must not read the clock or random numbers.
	//
	//	lan.Config{Handlers: map[string]http.Handler{"api.example.com": mux}}
	Handlers map[string]http.Handler

	// Files is served at http://espalier.lan/ and https, unless it is nil.
	Files fs.FS

	// Epoch is the date at guest time zero; zero is DefaultEpoch.
	Epoch time.Time

	// Uplink connects the network with the outside; nil isolates it. With
	// Isolated the uplink only opens connections to stations (forwarded ports).
	Uplink   Uplink
	Isolated bool

	// Log receives leases, names and requests, a line each.
	Log func(at emu.Time, line string)

	// Warn receives the reasons why a run of an isolated network cannot be
	// reproduced (see TLSSeeded), each once; if it is nil, Log does. The caller
	// should show them.
	Warn func(at emu.Time, reason string)

	// Capture receives every frame that arrives at the router or at the access
	// point, after losses of the fault schedule. The slice is only valid during
	// the call.
	Capture func(at emu.Time, frame []byte)

	// Keys receives the secrets of TLS connections to this network, before the
	// first frame that they decrypt: lines of the NSS key log format.
	Keys func(lines []byte)
}

// DefaultEpoch is the date at guest time zero unless Config.Epoch is set. It is
// a constant so that two runs see the same time.
func DefaultEpoch() time.Time { return time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC) }

// Domain is the network's own domain: this name and every name below it is the
// router.
const Domain = "espalier.lan"

// Addresses of the network. Leases are 192.168.71.100 and up; the IPv6 prefix
// is a unique local one (RFC 4193).
var (
	gateway4        = netip.AddrFrom4([4]byte{192, 168, 71, 1})
	subnet4         = netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, 71, 0}), 24)
	subnetBroadcast = netip.AddrFrom4([4]byte{192, 168, 71, 255})
	broadcast4      = netip.AddrFrom4([4]byte{255, 255, 255, 255}) // limited broadcast

	prefix6   = netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 0x65, 0x73, 0x70, 0x61, 0x6c}), 64)
	gateway6  = netip.AddrFrom16([16]byte{0xfd, 0x65, 0x73, 0x70, 0x61, 0x6c, 15: 1})
	linkLocal = netip.AddrFrom16([16]byte{0xfe, 0x80, 15: 1})
	allNodes  = netip.AddrFrom16([16]byte{0xff, 0x02, 15: 1})
)

// gatewayMAC is locally administered.
var gatewayMAC = mac{0x02, 0x65, 0x73, 0x70, 0x00, 0x01}

// Gateway returns the IPv4 address of the router, which is also the name server,
// the time server and the host espalier.lan.
func Gateway() netip.Addr { return gateway4 }

// FirstLease returns the address that the first station gets.
func FirstLease() netip.Addr { return lease4(0) }

func lease4(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 168, 71, byte(100 + i)}) }

// leases is how many stations can have an address at a time.
const leases = 100
