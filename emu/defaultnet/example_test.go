package defaultnet_test

import (
	"fmt"

	"espalier.dev/espalier/emu/defaultnet"
	"espalier.dev/espalier/emu/radio"
)

// An access point of the network that firmware expects when nothing else is said.
func Example() {
	ap, err := radio.NewAccessPoint(radio.Config{SSID: defaultnet.SSID, Passphrase: defaultnet.Passphrase})
	fmt.Println(defaultnet.SSID, len(ap.Stations()), err)
	// Output: espalier 0 <nil>
}
