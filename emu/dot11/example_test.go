package dot11_test

import (
	"bytes"
	"fmt"

	"espalier.dev/espalier/emu/dot11"
)

// An access point sends a data frame to a station, encrypted with CCMP, and the
// station decrypts it.
func Example() {
	station, ap := dot11.Addr{2, 0, 0, 0, 0, 1}, dot11.Addr{2, 0, 0, 0, 0, 2}
	key := bytes.Repeat([]byte{7}, dot11.CCMPKey)

	frame := dot11.Frame(dot11.AppendHeader(nil, dot11.DataControl(false, true), station, ap, ap, 42))
	frame = dot11.AppendCCMPHeader(frame, 1, 0)
	frame = append(frame, "21.5 °C"...)
	frame = append(frame, make([]byte, dot11.CCMPMIC)...) // room for the integrity code
	if err := dot11.SealCCMP(key, frame); err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(frame.Valid(), frame.A1() == station, frame.Has(dot11.FromDS))
	if err := dot11.OpenCCMP(key, bytes.Clone(frame)); err != nil {
		fmt.Println(err)
		return
	}
	if err := dot11.OpenCCMP(key, frame); err == nil {
		fmt.Printf("%s\n", frame[frame.HeaderLen()+dot11.CCMPHeader:len(frame)-dot11.CCMPMIC])
	}
	frame[len(frame)-1] ^= 1
	fmt.Println(dot11.OpenCCMP(key, frame))
	// Output:
	// true true true
	// 21.5 °C
	// 802.11: CCMP: the frame does not authenticate
}
