package lan

import "net/netip"

// endpoint is the program at the network's end of a connection: a server, or
// the Uplink's side of a forwarded connection. It may use the transport from
// these methods, and later.
type endpoint interface {
	connected(t transport)
	received(t transport, data []byte)  // data is only valid during the call
	endOfStream(t transport)            // the station has sent its last byte
	acknowledged(t transport)           // the station has acknowledged data
	disconnected(t transport, err bool) // err: reset or timed out, not closed by both ends
	window() int                        // how many bytes the endpoint accepts now
}

// transport is a connection as an endpoint uses it: TCP, or TLS over TCP.
type transport interface {
	write(b []byte)     // b is copied
	closeWrite()        // nothing more will be written
	abort()             // reset the connection
	unacked() int       // bytes that the station has not acknowledged
	closed() bool       // disconnected was called
	windowUpdate()      // the endpoint may accept more than before
	local() netip.Addr  // the address that the station called
	remote() netip.Addr // the station
}
