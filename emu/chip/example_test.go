package chip_test

import (
	"context"
	"fmt"
	"time"

	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/rv32"
)

// A machine whose CPU sleeps, with one device: a timer that writes to UART0 every
// 10 ms of guest time.
func Example() {
	m := chip.NewMachine(chip.Config{Output: func(o chip.Output) { fmt.Printf("%v %s\n", o.At.Duration(), o.Data) }}, rv32.Bus(nil), nil)
	ticks := 0
	var timer *chip.Timer
	timer = m.NewTimer(func() {
		ticks++
		m.Emit(chip.UART0, fmt.Appendf(nil, "tick %d", ticks)...)
		timer.Set(m.Now() + chip.Time(chip.Ticks(10*time.Millisecond)))
	})
	timer.Set(chip.At(10 * time.Millisecond))
	m.Halt(true)
	r := m.Run(context.Background(), chip.Stops{Limit: chip.Ticks(35 * time.Millisecond)})
	fmt.Println(r.Reason == chip.StopLimit, m.Now().Duration())
	// Output:
	// 10ms tick 1
	// 20ms tick 2
	// 30ms tick 3
	// true 35ms
}
