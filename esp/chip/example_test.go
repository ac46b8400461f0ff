package chip_test

import (
	"fmt"

	"espalier.dev/espalier/esp/chip"
)

// Where an address of a backtrace is.
func ExampleChip_Region() {
	c := chip.ESP32C3()
	for _, addr := range []uint32{0x42000020, 0x40380000, 0x10000000} {
		name, _, ok := c.Region(addr)
		fmt.Printf("0x%08x %v %q\n", addr, ok, name)
	}
	// Output:
	// 0x42000020 true "IROM"
	// 0x40380000 true "IRAM"
	// 0x10000000 false ""
}
