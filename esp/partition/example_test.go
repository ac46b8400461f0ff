package partition_test

import (
	"fmt"

	"espalier.dev/espalier/esp/partition"
)

// A partition table from its CSV form; offsets that are left out follow from the
// sizes.
func ExampleParseCSV() {
	table, err := partition.ParseCSV([]byte("# Name, Type, SubType, Offset, Size\n" +
		"nvs, data, nvs, , 24K\n" +
		"phy_init, data, phy, , 4K\n" +
		"factory, app, factory, , 1M\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range table.Entries {
		fmt.Printf("%-8s 0x%06x %7d bytes\n", e.Name, e.Offset, e.Size)
	}
	// Output:
	// nvs      0x009000   24576 bytes
	// phy_init 0x00f000    4096 bytes
	// factory  0x010000 1048576 bytes
}
