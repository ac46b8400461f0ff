package c3

import (
	"testing"
	"time"

	"espalier.dev/espalier/emu"
)

const rtcBase = 0x60008000

// wakeAfter sets the main timer.
func (c *testChip) wakeAfter(slowCycles uint64) {
	c.w(rtcBase+rtcTimeUpdate, 1<<31)
	goal := uint64(c.r(rtcBase+rtcTimeHigh0))<<32 + uint64(c.r(rtcBase+rtcTimeLow0)) + slowCycles
	c.w(rtcBase+rtcSlpTimer0, uint32(goal))
	c.w(rtcBase+rtcSlpTimer1, uint32(goal>>32)|1<<16)
}

func TestLightSleepByTimer(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.m.CPU.SetIRQ(0)
	c.wakeAfter(1360) // 10 ms
	c.w(rtcBase+rtcWakeupState, wakeTimer<<15)
	start := c.m.Now()
	c.w(rtcBase+rtcState0, 1<<31)
	if res := c.run(9 * emu.Millisecond); res.Instructions > 2 {
		t.Errorf("%d instructions while asleep", res.Instructions)
	}
	c.want(rtcBase+rtcIntRaw, 0)
	c.run(2 * emu.Millisecond)
	c.want(rtcBase+rtcWakeupCause, wakeTimer)
	if raw := c.r(rtcBase + rtcIntRaw); raw&rtcIntSlpWakeup == 0 {
		t.Errorf("INT_RAW 0x%x", raw)
	}
	if d := c.m.Now().Sub(start); d > 12*emu.Millisecond {
		t.Errorf("took %v", d)
	}
}

func TestLightSleepByPin(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.w(iomuxBase+4+4*9, 1<<12|ioIE)
	c.w(gpioBase+gpPin0+4*9, gpIntHigh<<7|1<<10)
	c.w(rtcBase+rtcWakeupState, wakeGPIO<<15)
	c.w(rtcBase+rtcState0, 1<<31)
	if res := c.board.Run(t.Context()); res.Reason != emu.StopIdle {
		t.Fatalf("asleep without a deadline: stopped with %v", res.Reason)
	}
	c.board.SetPin(9, emu.High)
	c.run(emu.Millisecond)
	c.want(rtcBase+rtcWakeupCause, wakeGPIO)
}

// From deep sleep the chip comes back through its ROM, with what RTC keeps.
func TestDeepSleep(t *testing.T) {
	for _, k := range []struct {
		name   string
		source uint32
		rouse  func(b *emu.Board)
	}{
		{"timer", wakeTimer, func(*emu.Board) {}},
		{"pin", wakeGPIO, func(b *emu.Board) {
			b.Inject(emu.Input{At: emu.At(b.Now() + 500*time.Millisecond), Kind: emu.InputPin, Pin: 3, Level: emu.High})
		}},
	} {
		t.Run(k.name, func(t *testing.T) {
			b, con := boot(t, emu.Config{Flash: app(t, func(a *asm) {
				quietWatchdogs(a)
				awakeAgain := a.pc() + 4*4
				a.li(t0, rtcBase)
				a.lw(a0, t0, 0x50) // STORE0
				a.branch(0, a0, zero, awakeAgain+4)
				a.j(awakeAgain + 4 + 800)
				a.poke(rtcBase+0x50, 1)
				a.poke(rtcFastBase, 0xfeed)
				a.poke(rtcBase+rtcWakeupState, k.source<<15)
				a.poke(rtcBase+rtcGPIOWakeup, 1<<(31-3)|gpIntHigh<<(23-9))
				if k.source == wakeTimer {
					a.poke(rtcBase+rtcSlpTimer0, 136_000/2) // half a second after power-on
					a.poke(rtcBase+rtcSlpTimer1, 1<<16)
				}
				a.poke(rtcBase+rtcDigPWC, 1<<31)
				a.print("good night\n")
				a.poke(rtcBase+rtcState0, 1<<31)
				a.print("never")
				for a.pc() < awakeAgain+4+800 {
					a.word(0x13)
				}
				a.print("good morning\n")
				a.halt()
			})})
			b.SetPin(3, emu.Low)
			if res := b.Run(t.Context(), emu.UntilText("good night\n"), emu.Limit(time.Second)); res.Reason != emu.StopText {
				t.Fatalf("%v\n%s", res.Reason, con.text(emu.UART0))
			}
			k.rouse(b)
			res := b.Run(t.Context(), emu.UntilText("good morning"), emu.UntilText("never"), emu.Limit(2*time.Second))
			if res.Text != "good morning" {
				t.Fatalf("%v %q\n%s", res.Reason, res.Text, con.text(emu.UART0))
			}
			inOrder(t, con.text(emu.UART0), "good night", "rst:0x5 (DSLEEP),boot:0xd", "good morning")
			if len(res.Resets) != 1 || res.Resets[0].Cause != uint8(causeDeepSleep) {
				t.Errorf("resets %v", res.Resets)
			}
			if res.Elapsed < 400*time.Millisecond || res.Elapsed > 700*time.Millisecond || res.Instructions > 10_000_000 {
				t.Errorf("slept %v in %d instructions", res.Elapsed, res.Instructions)
			}
			var v [4]byte
			if b.CPU().Memory().Read(rtcFastBase, v[:]); le32(v[:]) != 0xfeed {
				t.Errorf("RTC RAM holds %x", v)
			}
		})
	}
}
