package defmt_test

import (
	"fmt"

	"espalier.dev/espalier/firmware/defmt"
)

// The symbols of a program and one frame of it.
func ExampleDecoder_Decode() {
	table, err := defmt.NewTable([]defmt.Symbol{
		{Name: "_defmt_version_ = 4"},
		{Name: "_defmt_encoding_ = raw"},
		{Name: `{"package":"app","tag":"defmt_info","data":"{=u8} degrees","disambiguator":"1"}`, Addr: 1, Section: true},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	frame, n, err := defmt.NewDecoder(table).Decode([]byte{1, 0, 21})
	fmt.Println(frame.Level, string(frame.Message), n, err)
	// Output: INFO 21 degrees 3 <nil>
}
