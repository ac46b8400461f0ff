package radio_test

import (
	"fmt"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/dot11"
	"espalier.dev/espalier/emu/radio"
)

// What an antenna on channel 6 receives in half a second: beacons of the access
// point, one every 102.4 ms.
func Example() {
	ap, err := radio.NewAccessPoint(radio.Config{SSID: "workshop", Passphrase: "correct horse", Channel: 6})
	if err != nil {
		fmt.Println(err)
		return
	}
	medium := radio.NewMedium(radio.MediumConfig{})
	medium.Add(ap)
	antenna := medium.Antenna()
	antenna.Tune(0, 6)

	beacons := 0
	for now := antenna.Next(); now < emu.Time(emu.Second/2); now = antenna.Next() {
		for rx, ok := antenna.Receive(now); ok; rx, ok = antenna.Receive(now) {
			f := dot11.Frame(rx.Frame)
			if f.Type() != dot11.Management || !f.Is(dot11.Beacon) {
				continue
			}
			if beacons++; beacons == 1 {
				ssid, _ := dot11.Element(f.Body()[12:], dot11.ElementSSID)
				fmt.Printf("%q at %d dBm on channel %d\n", ssid, rx.Level, rx.Channel)
			}
		}
	}
	fmt.Println(beacons, "beacons")
	// Output:
	// "workshop" at -40 dBm on channel 6
	// 5 beacons
}
