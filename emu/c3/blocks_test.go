package c3_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/parts"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/devtest/blockrig"
)

// jumper joins GPIO2 and GPIO3.
var jumper = [][2]int{{2, 3}}

// pwm measures what is on a pin: the period of each cycle and the part of it that
// is high.
func pwm(samples []parts.Sample) (periods []time.Duration, duty []float64) {
	var rise, fall time.Duration = -1, -1
	for _, s := range samples {
		if s.High {
			if rise >= 0 && fall > rise {
				periods = append(periods, s.At-rise)
				duty = append(duty, float64(fall-rise)/float64(s.At-rise))
			}
			rise = s.At
		} else {
			fall = s.At
		}
	}
	return periods, duty
}

func TestBlockLEDC(t *testing.T) {
	probe := &parts.Probe{Pins: []int{3}}
	rig := blockrig.New(t, blockrig.Config{Parts: []emu.Part{probe}})
	rig.Pass(blockrig.Test{Name: "ledc::tests::duty"})
	periods, duty := pwm(probe.Samples())
	if len(periods) < 90 {
		t.Fatalf("%d cycles", len(periods))
	}
	near := func(d float64, want float64) bool { return math.Abs(d-want) < 0.002 }
	for i, p := range periods {
		if i > 0 && (p < 199*time.Microsecond || p > 201*time.Microsecond) {
			t.Fatalf("cycle %d of %v, want 200us", i, p)
		}
	}
	if !near(duty[20], 0.25) || !near(duty[len(duty)-5], 0.75) {
		t.Errorf("duty %v, then %v", duty[20], duty[len(duty)-5])
	}

	probe = &parts.Probe{Pins: []int{3}}
	rig = blockrig.New(t, blockrig.Config{Parts: []emu.Part{probe}})
	res := rig.Pass(blockrig.Test{Name: "ledc::tests::fade"})
	if us := res.Value(t, "fade"); us < 85_000 || us > 115_000 {
		t.Errorf("the fade took %d us", us)
	}
	_, duty = pwm(probe.Samples())
	if len(duty) < 1000 || !slices.IsSortedFunc(duty, func(a, b float64) int {
		if a < b-0.01 {
			return -1
		}
		return 0
	}) {
		t.Errorf("%d cycles whose duty does not only grow", len(duty))
	}
	if duty[0] > 0.05 || duty[len(duty)-1] < 0.95 || math.Abs(duty[len(duty)/2]-0.5) > 0.05 {
		t.Errorf("duty from %v by %v to %v", duty[0], duty[len(duty)/2], duty[len(duty)-1])
	}
}

func TestBlockADC(t *testing.T) {
	rig := blockrig.New(t, blockrig.Config{})
	for _, k := range []struct {
		scale string
		mv    []int
		near  int // data sheet, ADC calibration results: 35 mV at 12 dB; 10 mV else, and what esp-hal's curve adds
	}{{"full", []int{200, 1234, 2200}, 35}, {"half", []int{150, 900, 1200}, 23}, {"small", []int{100, 500, 700}, 23}} {
		for _, mv := range k.mv {
			res := rig.Pass(blockrig.Test{Name: "analog::tests::" + k.scale + "_scale", Before: func(b *emu.Board) { b.SetVoltage(0, mv, 1000) }})
			if got := res.Value(t, "millivolts"); got < mv-k.near || got > mv+k.near {
				t.Errorf("%s scale: %d mV read as %d", k.scale, mv, got)
			}
		}
	}
	for _, celsius := range []int{20, 25, 60} {
		res := rig.Pass(blockrig.Test{Name: "analog::tests::temperature", Before: func(b *emu.Board) { b.SetTemperature(celsius * 1000) }})
		if got := res.Value(t, "millicelsius"); got < celsius*1000-1500 || got > celsius*1000+1500 {
			t.Errorf("%d degrees read as %d thousandths", celsius, got)
		}
	}
}

func TestBlockSleep(t *testing.T) {
	rig := blockrig.New(t, blockrig.Config{})
	rig.Pass(blockrig.Test{Name: "sleep::tests::light_timer"})
	res := rig.Pass(blockrig.Test{Name: "sleep::tests::deep_timer"})
	var boots []string
	for line := range strings.Lines(res.Text) {
		boots = append(boots, strings.Fields(line)[1])
	}
	if !slices.Equal(boots, []string{"0", "1", "2", "3"}) || res.Elapsed < 1500*time.Millisecond {
		t.Errorf("boots %q within %v", boots, res.Elapsed)
	}
	for _, name := range []string{"light_gpio", "deep_gpio"} {
		pressed := false
		rig.Pass(blockrig.Test{Name: "sleep::tests::" + name, Wrote: func(b *emu.Board, text string) {
			if strings.Contains(text, "sleeping\n") && !pressed {
				pressed = true
				b.Inject(emu.Input{At: emu.At(b.Now() + 100*time.Millisecond), Kind: emu.InputPin, Pin: 4, Level: emu.Low})
			}
		}})
	}
	// Without the button nothing wakes it.
	if res := rig.Run(blockrig.Test{Name: "sleep::tests::light_gpio", Limit: time.Second}); res.Passed {
		t.Error("wakes up by itself")
	}
}

func TestBlockResets(t *testing.T) {
	rig := blockrig.New(t, blockrig.Config{})
	for _, k := range []struct {
		name   string
		resets int
	}{
		{"power_on", 0}, {"software_system", 1}, {"software_cpu", 1}, {"mwdt0_system", 1}, {"mwdt1_system", 1},
		{"mwdt0_cpu", 1}, {"rwdt_cpu", 1}, {"rwdt_core", 1}, {"rwdt_system", 1}, {"rwdt_fed", 0}, {"super_watchdog", 1},
	} {
		t.Run(k.name, func(t *testing.T) {
			res := rig.Run(blockrig.Test{Name: "resets::tests::" + k.name})
			if !res.Passed || len(res.Resets) != k.resets {
				t.Errorf("%s, resets %v\n%s", res.Why, res.Resets, res.Text)
			}
		})
	}
}

func TestBlockLoopbacks(t *testing.T) {
	rig := blockrig.New(t, blockrig.Config{Join: jumper})
	for _, name := range []string{
		"dma::tests::copies", "dma::tests::chains", "rmt::tests::lengths", "twai::tests::self_test", "i2s::tests::loopback",
		"spislave::tests::mode1", "spislave::tests::mode3", "uart::tests::formats", "uart::tests::breaks", "uart::tests::overflow",
		"uart::tests::interrupts", "protection::tests::pmp", "protection::tests::triggers", "protection::tests::cache_fault",
		"protection::tests::unmapped", "protection::tests::pms",
	} {
		t.Run(name, func(t *testing.T) {
			if res := rig.Run(blockrig.Test{Name: name}); !res.Passed {
				t.Errorf("%s\n%s", res.Why, res.Text)
			}
		})
	}
}

// A test that passes with its block inert, or without the wire, shows nothing about
// it.
func TestBlockTestsFail(t *testing.T) {
	devtest.Long(t, "boots a board for each block")
	for _, k := range []struct {
		name  string
		inert []string
	}{
		{"dma::tests::copies", []string{"GDMA"}}, {"dma::tests::chains", []string{"GDMA"}}, {"rmt::tests::lengths", []string{"RMT"}},
		{"twai::tests::self_test", []string{"TWAI"}}, {"i2s::tests::loopback", []string{"I2S0"}},
		{"spislave::tests::mode1", []string{"SPI2"}}, {"spislave::tests::mode3", []string{"SPI2"}},
		{"uart::tests::formats", []string{"UART1"}}, {"uart::tests::breaks", []string{"UART1"}}, {"uart::tests::overflow", []string{"UART1"}},
		{"uart::tests::interrupts", []string{"UART1"}}, {"protection::tests::cache_fault", []string{"EXTMEM"}},
		{"protection::tests::pms", []string{"SENSITIVE"}}, {"resets::tests::mwdt0_cpu", []string{"TIMG0"}},
		{"sleep::tests::light_timer", []string{"RTC_CNTL"}}, {"sleep::tests::deep_timer", []string{"RTC_CNTL"}},
		{"resets::tests::mwdt0_system", []string{"TIMG0"}}, {"resets::tests::mwdt1_system", []string{"TIMG1"}},
		{"resets::tests::rwdt_core", []string{"RTC_CNTL"}}, {"resets::tests::super_watchdog", []string{"RTC_CNTL"}},
		{"uart::tests::formats", nil}, {"rmt::tests::lengths", nil}, // no wire
	} {
		t.Run(fmt.Sprint(k.name, k.inert), func(t *testing.T) {
			join := jumper
			if k.inert == nil {
				join = nil
			}
			rig := blockrig.New(t, blockrig.Config{Join: join})
			if res := rig.Run(blockrig.Test{Name: k.name, Inert: k.inert, Limit: 300 * time.Millisecond}); res.Passed {
				t.Errorf("passes:\n%s", res.Text)
			}
		})
	}
}

func TestBlockUSB(t *testing.T) {
	var out strings.Builder
	rig := blockrig.New(t, blockrig.Config{Board: emu.Config{USBHost: true, Output: func(o emu.Output) {
		if o.Stream == emu.USB {
			out.Write(o.Data)
		}
	}}})
	rig.Start(blockrig.Test{Name: "usb::tests::lines"})
	out.Reset()
	lines := []string{"abc", strings.Repeat("0123456789", 25), "x", ""}
	want := "ready\n"
	rig.Step(5 * time.Millisecond)
	for _, l := range lines {
		rig.Board.Send(emu.USB, []byte(l+"\n"))
		b := []byte(l)
		slices.Reverse(b)
		want += string(b) + "\n"
		rig.Step(20 * time.Millisecond)
	}
	rig.Step(100 * time.Millisecond)
	if res := rig.Result(); !res.Passed || out.String() != want {
		t.Errorf("%s\ngot %q\nwant %q", res.Why, out.String(), want)
	}
}
