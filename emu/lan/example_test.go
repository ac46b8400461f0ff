package lan_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/lan"
)

// A station asks for the hardware address of the gateway.
func Example() {
	network, err := lan.New(lan.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer network.Close()

	station := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	request := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, station...) // Ethernet
	request = append(request, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1)             // ARP request (RFC 826)
	request = append(append(request, station...), lan.FirstLease().AsSlice()...)
	request = append(append(request, 0, 0, 0, 0, 0, 0), lan.Gateway().AsSlice()...)
	network.Receive(0, request)

	for {
		at, more := network.Next()
		if !more || at > emu.Time(emu.Second) {
			return
		}
		network.Advance(at, func(frame []byte) {
			if binary.BigEndian.Uint16(frame[12:]) == 0x0806 && frame[21] == 2 {
				who, _ := netip.AddrFromSlice(frame[28:32])
				fmt.Println(who, "is at", net.HardwareAddr(frame[22:28]))
			}
		})
	}
	// Output: 192.168.71.1 is at 02:65:73:70:00:01
}
