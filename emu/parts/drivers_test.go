package parts_test

import (
	"image"
	"image/color"
	"slices"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/parts"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/devtest/blockrig"
)

// Most tests of this file run drivers that others wrote (crates bmp085-180-rs,
// sht31, ssd1306, mipidsi, w25q32jv, esp-hal-smartled) on the chip, with the parts
// on its pins.

func TestDriverBMP180(t *testing.T) {
	rig := blockrig.New(t, blockrig.Config{Parts: []emu.Part{&parts.BMP180{SDA: 4, SCL: 5, Celsius: 21.5, Pascals: 99_800}}})
	res := rig.Pass(blockrig.Test{Name: "parts::tests::bmp180"})
	if c := res.Value(t, "millicelsius"); c < 21_400 || c > 21_600 {
		t.Errorf("%d thousandths of a degree", c)
	}
	if p := res.Value(t, "pascals"); p < 99_790 || p > 99_810 {
		t.Errorf("%d Pa", p)
	}
}

func TestDriverSHT31(t *testing.T) {
	rig := blockrig.New(t, blockrig.Config{Parts: []emu.Part{&parts.SHT3x{SDA: 4, SCL: 5, Celsius: -12.25, Humidity: 43.5}}})
	res := rig.Pass(blockrig.Test{Name: "parts::tests::sht31"})
	for _, v := range []struct {
		name string
		want int
	}{{"millicelsius", -12_250}, {"millipercent", 43_500}, {"periodic", -12_250}} {
		if got := res.Value(t, v.name); got < v.want-5 || got > v.want+5 {
			t.Errorf("%s %d, want %d", v.name, got, v.want)
		}
	}
	if !strings.Contains(res.Text, "heater false") {
		t.Errorf("status:\n%s", res.Text)
	}
}

func TestDriverSHTC3(t *testing.T) {
	rig := blockrig.New(t, blockrig.Config{Parts: []emu.Part{&parts.SHTC3{SDA: 4, SCL: 5, Celsius: 31.5, Humidity: 12.25}}})
	res := rig.Pass(blockrig.Test{Name: "parts::tests::shtc3"})
	if c, h := res.Value(t, "millicelsius"), res.Value(t, "millipercent"); c < 31_495 || c > 31_505 || h < 12_245 || h > 12_255 {
		t.Errorf("%d thousandths of a degree, %d of a percent", c, h)
	}
}

func TestDriverICM42670P(t *testing.T) {
	rig := blockrig.New(t, blockrig.Config{Parts: []emu.Part{&parts.ICM42670P{SDA: 4, SCL: 5, Celsius: 29, G: [3]float64{-1, 0.5, 3}}}})
	res := rig.Pass(blockrig.Test{Name: "parts::tests::icm42670"})
	for name, want := range map[string]int{"millicelsius": 29_000, "axis0": -1000, "axis1": 500, "axis2": 3000} {
		if got := res.Value(t, name); got < want-10 || got > want+10 {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
}

func TestDriverSSD1306(t *testing.T) {
	changes := 0
	display := &parts.SSD1306{SDA: 4, SCL: 5, Changed: func() { changes++ }}
	rig := blockrig.New(t, blockrig.Config{Parts: []emu.Part{display}})
	rig.Pass(blockrig.Test{Name: "parts::tests::ssd1306"})
	img := display.Picture()
	if b := img.Bounds(); b != image.Rect(0, 0, 128, 64) {
		t.Fatalf("picture of %v", b)
	}
	for y := range 64 {
		for x := range 128 {
			want := x >= 10 && x < 40 && y >= 20 && y < 28 || x == 127 && y == 63 || x == 0 && y == 0
			if lit := img.At(x, y).(color.Gray).Y != 0; lit != want {
				t.Fatalf("pixel %d,%d is lit: %v", x, y, lit)
			}
		}
	}
	if !display.On() || changes == 0 {
		t.Errorf("on %v, %d changes", display.On(), changes)
	}
}

func TestDriverW25Q32(t *testing.T) {
	flash := &parts.SPIFlash{SPIPins: parts.SPIPins{SCK: 6, MOSI: 7, MISO: 2, CS: 10}}
	rig := blockrig.New(t, blockrig.Config{Parts: []emu.Part{flash}})
	res := rig.Pass(blockrig.Test{Name: "parts::tests::flash"})
	if !strings.Contains(res.Text, "id [d1, 63, 2c, 40, 17, 54, 3a, 2f]") {
		t.Errorf("identification:\n%s", res.Text)
	}
	data := flash.Data()
	for i := range 300 {
		if data[0x1000-300+i] != byte(i*7) {
			t.Fatalf("byte %d is %02x", i, data[0x1000-300+i])
		}
	}
	// Erasing and programming take their time: a sector is 45 ms.
	if res.Elapsed < 45*time.Millisecond {
		t.Errorf("took %v", res.Elapsed)
	}
}

func TestDriverWS2812(t *testing.T) {
	strip := &parts.WS2812{Pin: 8, LEDs: 3}
	rig := blockrig.New(t, blockrig.Config{Parts: []emu.Part{strip}})
	rig.Pass(blockrig.Test{Name: "parts::tests::ws2812"})
	if got := strip.Colors(); !slices.Equal(got, []parts.RGB{{R: 1, G: 2, B: 3}, {R: 255, G: 128}, {B: 200}}) {
		t.Errorf("colours %v", got)
	}
}

// Firmware that waits until the contact rests counts presses; what it would have
// counted without is the number of edges.
func TestDriverButton(t *testing.T) {
	button := &parts.Button{Pin: 9, Pull: 10_000, Bounce: 5 * time.Millisecond}
	rig := blockrig.New(t, blockrig.Config{Parts: []emu.Part{button}})
	rig.Start(blockrig.Test{Name: "parts::tests::button"})
	rig.Step(20 * time.Millisecond)
	for range 3 {
		button.Press()
		rig.Step(40 * time.Millisecond)
		button.Release()
		rig.Step(40 * time.Millisecond)
	}
	rig.Step(time.Second)
	res := rig.Result()
	if res.Value(t, "presses") != 3 {
		t.Errorf("%d presses", res.Value(t, "presses"))
	}
	if n := res.Value(t, "edges"); n != 6*11 {
		t.Errorf("%d edges, want %d", n, 6*11)
	}
}

func TestDriverUART(t *testing.T) {
	var got strings.Builder
	modem := &parts.UART{TX: 4, RX: 5, Baud: 9600, Received: func(b byte) { got.WriteByte(b) }, Replies: []parts.Reply{
		{Expect: "AT\r\n", Send: "OK\r\n"},
		{Expect: "AT+CSQ\r\n", Send: "+CSQ: 21,0\r\nOK\r\n", After: 50 * time.Millisecond},
	}}
	rig := blockrig.New(t, blockrig.Config{Parts: []emu.Part{modem}})
	res := rig.Pass(blockrig.Test{Name: "parts::tests::modem"})
	if got.String() != "AT\r\nAT+CSQ\r\n" || modem.Errors() != 0 {
		t.Errorf("%q, %d errors", got.String(), modem.Errors())
	}
	if res.Elapsed < 80*time.Millisecond { // 50 ms and about 32 bytes
		t.Errorf("took %v", res.Elapsed)
	}
}

func TestDriverTWAI(t *testing.T) {
	var ids []uint32
	var peer *parts.TWAI
	peer = &parts.TWAI{TX: 2, RX: 3, BitRate: 500_000, Received: func(f parts.CANFrame) {
		ids = append(ids, f.ID)
		f.ID++
		for i := range f.Data {
			f.Data[i] = ^f.Data[i]
		}
		if err := peer.Send(f); err != nil {
			t.Error(err)
		}
	}}
	rig := blockrig.New(t, blockrig.Config{Parts: []emu.Part{peer}})
	res := rig.Pass(blockrig.Test{Name: "twai::tests::peer"})
	if !slices.Equal(ids, []uint32{0x120, 0x122, 0x124, 0x126}) || peer.Errors() != 0 || peer.Sent() != 4 {
		t.Errorf("received %x, sent %d, %d errors", ids, peer.Sent(), peer.Errors())
	}
	if !strings.Contains(res.Text, "errors 0 0") {
		t.Errorf("errors of the controller:\n%s", res.Text)
	}

	// A bus on which no node acknowledges.
	silent := &parts.TWAI{TX: 2, RX: 3, Silent: true}
	rig = blockrig.New(t, blockrig.Config{Parts: []emu.Part{silent}})
	if res := rig.Run(blockrig.Test{Name: "twai::tests::peer", Limit: 500 * time.Millisecond}); res.Passed {
		t.Error("frames arrive without an acknowledgement")
	}
}

// The same picture arrives bit by bit, when a probe is on the clock, and in bursts.
func TestDriverST7789(t *testing.T) {
	var pictures []*image.RGBA
	for _, probed := range []bool{false, true} {
		if probed {
			devtest.Long(t, "each edge of a display's bus")
		}
		display := &parts.ST7789{SPIPins: parts.SPIPins{SCK: 6, MOSI: 7, CS: 10}, DC: 3, Reset: 2, Width: 240, Height: 240}
		list := []emu.Part{display}
		if probed {
			list = append(list, &parts.Probe{Pins: []int{6}, Limit: 10})
		}
		rig := blockrig.New(t, blockrig.Config{Parts: list})
		rig.Pass(blockrig.Test{Name: "parts::tests::st7789"})
		img := display.Picture().(*image.RGBA)
		for _, p := range []struct {
			x, y int
			want color.RGBA
		}{
			{0, 0, color.RGBA{A: 255}}, {10, 30, color.RGBA{R: 255, A: 255}}, {49, 49, color.RGBA{R: 255, A: 255}},
			{50, 49, color.RGBA{A: 255}}, {60, 30, color.RGBA{G: 255, A: 255}}, {110, 30, color.RGBA{B: 255, A: 255}},
			{160, 30, color.RGBA{66, 65, 198, 255}}, {239, 239, color.RGBA{255, 255, 255, 255}}, {238, 239, color.RGBA{A: 255}},
		} {
			if got := img.RGBAAt(p.x, p.y); got != p.want {
				t.Errorf("probe %v: pixel %d,%d is %v, want %v", probed, p.x, p.y, got, p.want)
			}
		}
		pictures = append(pictures, img)
	}
	if !slices.Equal(pictures[0].Pix, pictures[1].Pix) {
		t.Error("the pictures differ")
	}
}
