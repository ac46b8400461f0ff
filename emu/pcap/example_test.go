package pcap_test

import (
	"bytes"
	"fmt"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/pcap"
)

// A capture for Wireshark with one Ethernet frame, two seconds after power-on.
func ExampleNewWriter() {
	var file bytes.Buffer
	epoch := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w := pcap.NewWriter(&file, epoch, pcap.Interface{Name: "lan", Link: pcap.Ethernet})
	w.Frame(0, emu.At(2*time.Second), make([]byte, 60))
	fmt.Printf("%x %v\n", file.Bytes()[:4], w.Err())
	// Output: 0a0d0d0a <nil>
}
