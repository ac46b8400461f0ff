package lan

import (
	"encoding/binary"
	"fmt"
)

// mac is an IEEE 802 address.
type mac [6]byte

var macBroadcast = mac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// group reports a multicast or broadcast address.
func (m mac) group() bool { return m[0]&1 != 0 }

func (m mac) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// EtherTypes.
const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherIPv6 = 0x86dd
)

const (
	ethernetHeader = 14
	mtu            = 1500
)

// ethernet is a view of an Ethernet II frame.
type ethernet struct {
	dst, src  mac
	etherType uint16
	payload   []byte // with padding, if there is any
}

func parseEthernet(b []byte) (ethernet, bool) {
	if len(b) < ethernetHeader || len(b) > ethernetHeader+mtu+4 {
		return ethernet{}, false
	}
	return ethernet{mac(b[0:6]), mac(b[6:12]), binary.BigEndian.Uint16(b[12:]), b[ethernetHeader:]}, true
}

func appendEthernet(b []byte, dst, src mac, etherType uint16, payload []byte) []byte {
	b = append(b, dst[:]...)
	b = append(b, src[:]...)
	b = binary.BigEndian.AppendUint16(b, etherType)
	return append(b, payload...)
}
