package emu_test

import (
	"context"
	"fmt"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
)

// rom is a mask ROM of eight instructions: it writes a byte to UART0 whenever one
// arrives there. A real one is Espressif's ELF file.
func rom() []byte {
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

// Input arrives at an instant of guest time, and the run ends with the answer.
func ExampleBoard_Run() {
	board, err := c3.New(emu.Config{ROM: rom()})
	if err != nil {
		fmt.Println(err)
		return
	}
	board.Send(emu.UART0, []byte("ping"))
	res := board.Run(context.Background(), emu.UntilText("ping"), emu.Limit(time.Second))
	fmt.Println(res.Reason, res.Text, res.Err)
	// Output: text ping <nil>
}

// A snapshot continues as the board did.
func ExampleBoard_Snapshot() {
	board, err := c3.New(emu.Config{ROM: rom()})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	board.Run(ctx, emu.Limit(3*time.Millisecond))
	saved := board.Snapshot()
	first := board.Run(ctx, emu.Limit(time.Millisecond))
	if err := board.Restore(saved); err != nil {
		fmt.Println(err)
		return
	}
	again := board.Run(ctx, emu.Limit(time.Millisecond))
	fmt.Println(first.Now, again.Now, first.Trace == again.Trace)
	// Output: 4ms 4ms true
}

// Two boards of which one receives what the other sends.
func ExampleGroup() {
	var boards [2]*emu.Board
	for i := range boards {
		board, err := c3.New(emu.Config{ROM: rom(), Output: func(o emu.Output) { fmt.Printf("board %d: %s\n", i+1, o.Data) }})
		if err != nil {
			fmt.Println(err)
			return
		}
		boards[i] = board
	}
	group, err := emu.NewGroup(0, boards[:]...)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := group.Join(boards[0], 21, boards[1], 20); err != nil { // TX to RX
		fmt.Println(err)
		return
	}
	boards[0].Send(emu.UART0, []byte("x"))
	res, _ := group.Run(context.Background(), boards[1], emu.UntilText("x"), emu.Limit(time.Second))
	fmt.Println(res.Reason)
	// Output:
	// board 1: x
	// board 2: x
	// text
}
