package firmware_test

import (
	"bytes"
	"fmt"
	"os"

	"espalier.dev/espalier/firmware"
)

// Names of linkers become those of the source.
func ExampleDemangle() {
	fmt.Println(firmware.Demangle("_ZN4core9panicking5panic17h0123456789abcdefE"))
	// Output: core::panicking::panic
}

// The functions and source lines at an address, innermost inlined call first.
func ExampleELF_Frames() {
	elf, err := os.ReadFile("target/riscv32imc-unknown-none-elf/release/app")
	if err != nil {
		return // not built
	}
	f, err := firmware.Open(bytes.NewReader(elf), firmware.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, frame := range f.Frames(f.Entry()) {
		fmt.Printf("%s at %s:%d\n", frame.Function, frame.File, frame.Line)
	}
}
