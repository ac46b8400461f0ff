package recording_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/emu/recording"
)

// A run is recorded, and repeated without the user who typed.
func Example() {
	// A mask ROM of a few instructions: it sends back what arrives at UART0.
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
	cfg := emu.Config{ROM: rom}
	var file bytes.Buffer
	recorder := recording.NewRecorder(&file, recording.NewHeader(cfg), nil)
	board, err := c3.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	board.Run(context.Background(), emu.Limit(time.Millisecond))
	board.Send(emu.UART0, []byte("typed"))
	res := board.Run(context.Background(), emu.UntilText("typed"), emu.Limit(time.Second))
	end := recording.End{At: emu.At(res.Now), Instructions: board.Instructions(), Trace: board.Trace()}
	if err := recorder.Finish(board.Inputs(), end); err != nil {
		fmt.Println(err)
		return
	}

	r, err := recording.Read(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Check(recording.NewHeader(cfg)))
	cfg.Replay = r.Inputs
	again, err := c3.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	repeated := again.Run(context.Background(), emu.UntilText("typed"), emu.Limit(time.Second))
	fmt.Println(repeated.Text, repeated.Now == res.Now, again.Trace() == r.End.Trace)
	// Output:
	// <nil>
	// typed true true
}
