package nvs_test

import (
	"fmt"

	"espalier.dev/espalier/esp/nvs"
)

// A partition for a product: what the firmware reads at its first start.
func ExampleNew() {
	p, err := nvs.New(3*nvs.PageSize, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	channel, err := nvs.Integer(nvs.U8, 6)
	if err != nil {
		fmt.Println(err)
		return
	}
	for key, value := range map[string]nvs.Value{"ssid": nvs.Text("espalier"), "channel": channel} {
		if _, err := p.Set("wifi", key, value); err != nil {
			fmt.Println(err)
			return
		}
	}

	read, err := nvs.Open(p.Bytes(), nil) // the bytes for the flash, or those read from it
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, key := range []string{"ssid", "channel"} {
		value, err := read.Get("wifi", key)
		fmt.Println(key, value, err)
	}
	// Output:
	// ssid espalier <nil>
	// channel 6 <nil>
}
