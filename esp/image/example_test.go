package image_test

import (
	"fmt"
	"os"

	"espalier.dev/espalier/esp/image"
)

// The kind of a file that a user names.
func ExampleIdentify() {
	fmt.Println(image.Identify([]byte("\x7fELF")) == image.ELF)
	// Output: true
}

// A flash image from a linked program and the second-stage bootloader, as an
// emulated board or a flasher takes it.
func ExampleFromELF() {
	write := func(elf, bootloader []byte) error {
		flash, err := image.FromELF(elf, image.Inputs{Bootloader: bootloader, Params: image.Params{Size: 8 << 20}})
		if err != nil {
			return err
		}
		return os.WriteFile("flash.bin", flash.Merged(), 0o666)
	}
	_ = write
}
