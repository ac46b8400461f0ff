package c3_test

import (
	"context"
	"fmt"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
)

// A board runs until a text appears. The mask ROM here is a program of eight
// instructions that writes OK to UART0; a real one is Espressif's ELF file, and
// Flash the image that a flasher would write.
func Example() {
	rom := make([]byte, 384<<10)
	copy(rom, []byte{
		0xb7, 0x02, 0x00, 0x60, // lui  t0, 0x60000   UART0
		0x13, 0x03, 0xf0, 0x04, // li   t1, 'O'
		0x23, 0xa0, 0x62, 0x00, // sw   t1, 0(t0)
		0x13, 0x03, 0xb0, 0x04, // li   t1, 'K'
		0x23, 0xa0, 0x62, 0x00, // sw   t1, 0(t0)
		0x73, 0x00, 0x50, 0x10, // wfi
		0x6f, 0xf0, 0xdf, 0xff, // j    .-4
	})
	board, err := c3.New(emu.Config{
		ROM:    rom,
		Output: func(o emu.Output) { fmt.Printf("%v %s %s\n", o.At, o.Stream, o.Data) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	result := board.Run(context.Background(), emu.UntilText("OK"), emu.Limit(30*time.Second))
	fmt.Println(result.Reason, result.Text, result.Instructions)
	// Output:
	// 0.000347 uart0 O
	// 0.000694 uart0 K
	// text OK 6
}

// A board strapped for download: the ROM's serial loader waits for commands,
// and the host's bytes are inputs.
func ExampleNew_download() {
	var rom []byte // the vendor's ELF file
	board, err := c3.New(emu.Config{ROM: rom, Strap: emu.StrapDownload})
	if err != nil {
		fmt.Println(err)
		return
	}
	board.Run(context.Background(), emu.UntilText("waiting for download"))
	board.Send(emu.UART0, []byte{0xc0, 0x00, 0x08})
	board.Run(context.Background(), emu.Limit(100*time.Millisecond))
	flash := board.Flash() // what the loader has written
	_ = flash
	// Output:
	// mask ROM: none given; want the ELF or a dump of 393216 bytes
}
