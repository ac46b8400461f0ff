package testbed_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/testbed"
)

// A program that boots a firmware on a board with Wi-Fi and its own web server,
// and captures the traffic. ROM is Espressif's mask ROM, flash the content of the
// flash chip.
func Example() {
	run := func(rom, flash []byte, capture io.Writer) error {
		bed, err := testbed.New(testbed.Config{
			Board: emu.Config{ROM: rom, Flash: flash, Output: func(o emu.Output) { os.Stdout.Write(o.Data) }},
			Hosts: map[string]http.Handler{
				"api.example.com": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello") }),
			},
			Capture: capture,
		})
		if err != nil {
			return err
		}
		res := bed.Board.Run(context.Background(), emu.UntilText("200 OK"), emu.Limit(30*time.Second))
		log.Printf("%v after %v", res.Reason, res.Elapsed)
		return bed.Close()
	}
	_ = run
}

// A board without a network, whose mask ROM is empty: the CPU finds no
// instruction that it knows.
func ExampleNew() {
	bed, err := testbed.New(testbed.Config{
		Board:   emu.Config{ROM: make([]byte, 384<<10)},
		Network: testbed.None,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer bed.Close()
	res := bed.Board.Run(context.Background(), emu.Limit(time.Millisecond))
	fmt.Println(res.Reason, res.Elapsed)
	// Output: limit 1ms
}
