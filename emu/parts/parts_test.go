package parts_test

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/emu/parts"
)

// idle is a board whose CPU waits for interrupts: pins are the test's.
func idle(t *testing.T, replay []emu.Input, attach ...emu.Part) *emu.Board {
	t.Helper()
	rom := make([]byte, 384<<10)
	copy(rom, []byte{0x73, 0x00, 0x50, 0x10, 0x6f, 0xf0, 0xdf, 0xff}) // wfi; j .-4
	b, err := c3.New(emu.Config{ROM: rom, Replay: replay})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range attach {
		if err := p.Attach(b); err != nil {
			t.Fatal(err)
		}
	}
	run(t, b, time.Microsecond)
	return b
}

func run(t *testing.T, b *emu.Board, d time.Duration) {
	t.Helper()
	b.Run(t.Context(), emu.Limit(d))
}

func TestLED(t *testing.T) {
	led, low := &parts.LED{Pin: 8}, &parts.LED{Pin: 8, ActiveLow: true}
	b := idle(t, nil, led, low)
	led.Brightness()
	for range 10 {
		b.SetPin(8, emu.High)
		run(t, b, 250*time.Microsecond)
		if !led.On() || low.On() {
			t.Fatal("high: the LED is off, or the one to the supply on")
		}
		b.SetPin(8, emu.Low)
		run(t, b, 750*time.Microsecond)
	}
	if got := led.Brightness(); math.Abs(got-0.25) > 0.001 {
		t.Errorf("brightness %v", got)
	}
	if led.On() || !low.On() || led.Switched() != 20 {
		t.Errorf("on %v and %v, switched %d times", led.On(), low.On(), led.Switched())
	}
	// A restored board has the LED as it was.
	snap := b.Snapshot()
	b.SetPin(8, emu.High)
	run(t, b, time.Millisecond)
	if err := b.Restore(snap); err != nil {
		t.Fatal(err)
	}
	if led.On() || led.Switched() != 20 {
		t.Errorf("restored: on %v, switched %d times", led.On(), led.Switched())
	}
}

func TestButtonIsRecorded(t *testing.T) {
	button := &parts.Button{Pin: 9, Pull: 10_000}
	b := idle(t, nil, button)
	level := func(b *emu.Board) (l [3]emu.Level) {
		for i := range l {
			l[i] = b.Pin(9)
			run(t, b, time.Millisecond)
		}
		return l
	}
	want := [3]emu.Level{emu.High, emu.Low, emu.High}
	var got [3]emu.Level
	got[0] = b.Pin(9)
	button.Press()
	run(t, b, time.Millisecond)
	got[1] = b.Pin(9)
	button.Release()
	run(t, b, time.Millisecond)
	got[2] = b.Pin(9)
	if got != want {
		t.Errorf("levels %v", got)
	}
	again := idle(t, b.Inputs(), &parts.Button{Pin: 9, Pull: 10_000})
	run(t, again, 500*time.Microsecond)
	if got := level(again); got[0] != emu.Low || got[2] != emu.High {
		t.Errorf("replayed levels %v", got)
	}
}

func TestPotentiometer(t *testing.T) {
	pot := &parts.Potentiometer{Pin: 0}
	b := idle(t, nil, pot)
	for _, at := range []float64{0.5, 0, 1, 0.1} {
		if at != 0.5 {
			if err := pot.Set(at); err != nil {
				t.Fatal(err)
			}
			run(t, b, time.Microsecond)
		}
		if mv := b.MilliVolts(0); math.Abs(float64(mv)-3300*at) > 2 {
			t.Errorf("%d mV at %v", mv, at)
		}
	}
	for _, at := range []float64{-0.1, 1.1, math.NaN()} {
		if pot.Set(at) == nil {
			t.Errorf("%v is accepted", at)
		}
	}
}

func TestWS2812(t *testing.T) {
	var frames [][]parts.RGB
	strip := &parts.WS2812{Pin: 8, LEDs: 2, Changed: func(c []parts.RGB) { frames = append(frames, c) }}
	b := idle(t, nil, strip)
	want := []parts.RGB{{R: 1, G: 2, B: 3}, {R: 0xff, G: 0x80, B: 0x55}}
	send := func(colors ...parts.RGB) {
		for _, c := range colors {
			v := uint32(c.G)<<16 | uint32(c.R)<<8 | uint32(c.B)
			for bit := 23; bit >= 0; bit-- {
				high := 400 * time.Nanosecond
				if v>>bit&1 != 0 {
					high = 800 * time.Nanosecond
				}
				b.SetPin(8, emu.High)
				run(t, b, high)
				b.SetPin(8, emu.Low)
				run(t, b, 1250*time.Nanosecond-high)
			}
		}
		run(t, b, 60*time.Microsecond)
	}
	send(append(want, parts.RGB{R: 9})...) // the third is for an LED that is not there
	if got := strip.Colors(); !slices.Equal(got, want) {
		t.Errorf("colours %v, want %v", got, want)
	}
	send(want...)
	send(parts.RGB{G: 7})
	if len(frames) != 2 || frames[1][0] != (parts.RGB{G: 7}) || frames[1][1] != want[1] {
		t.Errorf("frames %v", frames)
	}
}

func TestProbe(t *testing.T) {
	probe := &parts.Probe{Pins: []int{2, 3}, Limit: 5}
	b := idle(t, nil, probe)
	for i := range 4 {
		b.SetPin(2+i%2, emu.High)
		run(t, b, 10*time.Microsecond)
		b.SetPin(2+i%2, emu.Low)
		run(t, b, 10*time.Microsecond)
	}
	if n := len(probe.Samples()); n != 5 || probe.Lost() != 3 {
		t.Errorf("%d samples, %d lost", n, probe.Lost())
	}
	var out bytes.Buffer
	if err := probe.WriteVCD(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"$timescale 1ns $end", "$var wire 1 ! gpio2 $end", "#1000\n1!\n", "#11000\n0!\n", "#21000\n1\"\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
