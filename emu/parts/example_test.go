package parts_test

import (
	"context"
	"fmt"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/emu/parts"
)

// echo is a mask ROM of a few instructions that sends back what arrives at UART0.
// A real one is Espressif's ELF file.
func echo() []byte {
	rom := make([]byte, 384<<10)
	copy(rom, []byte{
		0xb7, 0x02, 0x00, 0x60, // lui  t0, 0x60000     UART0
		0x03, 0xa3, 0xc2, 0x01, // lw   t1, 0x1c(t0)    STATUS
		0x13, 0x73, 0xf3, 0x3f, // andi t1, t1, 0x3ff   RXFIFO_CNT
		0xe3, 0x0c, 0x03, 0xfe, // beqz t1, .-8
		0x03, 0xa3, 0x02, 0x00, // lw   t1, 0(t0)       FIFO
		0x23, 0xa0, 0x62, 0x00, // sw   t1, 0(t0)
		0x6f, 0xf0, 0xdf, 0xfe, // j    .-20
	})
	return rom
}

// A modem on the serial line, which answers what the chip sends, and a logic
// analyzer on the chip's TX pin.
func Example() {
	board, err := c3.New(emu.Config{ROM: echo()})
	if err != nil {
		fmt.Println(err)
		return
	}
	modem := &parts.UART{TX: 21, RX: 20, Baud: 28800, Replies: []parts.Reply{{Expect: "AT", Send: "OK"}}}
	probe := &parts.Probe{Pins: []int{21}}
	for _, part := range []emu.Part{modem, probe} {
		if err := part.Attach(board); err != nil {
			fmt.Println(err)
			return
		}
	}
	board.Send(emu.UART0, []byte("AT")) // the chip sends it to the modem
	res := board.Run(context.Background(), emu.UntilText("OK"), emu.Limit(time.Second))
	fmt.Println(res.Reason, res.Text, len(probe.Samples()) > 20, modem.Errors())
	// Output: text OK true 0
}
