package parts_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/parts"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/devtest/blockrig"
)

// sigrok's decoders read from the value change dump of a run what drivers that
// others wrote and parts have exchanged.
func TestVCDSigrok(t *testing.T) {
	devtest.Long(t, "starts sigrok")
	sigrok := devtest.Tool(t, "sigrok-cli")
	for _, c := range []struct {
		test       string
		part       emu.Part
		downsample string // of the nanoseconds of the dump
		decoder    string
		show       string
		want       string // what the decoder shows, as part of the words
	}{
		{"bmp180", &parts.BMP180{SDA: 4, SCL: 5, Celsius: 21.5, Pascals: 99_800}, "100", "i2c:scl=gpio5:sda=gpio4", "i2c=address-write:data-write",
			"Address write: 77 Data write: F4 Data write: 2E"},
		{"bmp180", &parts.BMP180{SDA: 4, SCL: 5, Celsius: 21.5, Pascals: 99_800}, "100", "i2c:scl=gpio5:sda=gpio4", "i2c=address-read:ack:nack:stop", "Address read: 77 ACK"},
		{"modem", &parts.UART{TX: 4, RX: 5, Baud: 9600, Replies: []parts.Reply{{Expect: "AT\r\n", Send: "OK\r\n"}, {Expect: "AT+CSQ\r\n", Send: "+CSQ: 21,0\r\nOK\r\n"}}},
			"1000", "uart:rx=gpio4:baudrate=9600:format=ascii", "uart=rx-data", "A T [0D] [0A] A T + C S Q [0D] [0A]"},
		{"modem", &parts.UART{TX: 4, RX: 5, Baud: 9600, Replies: []parts.Reply{{Expect: "AT\r\n", Send: "OK\r\n"}, {Expect: "AT+CSQ\r\n", Send: "+CSQ: 21,0\r\nOK\r\n"}}},
			"1000", "uart:rx=gpio5:baudrate=9600:format=ascii", "uart=rx-data", "O K [0D] [0A] + C S Q :"},
		{"flash", &parts.SPIFlash{SPIPins: parts.SPIPins{SCK: 6, MOSI: 7, MISO: 2, CS: 10}}, "10",
			"spi:clk=gpio6:mosi=gpio7:miso=gpio2:cs=gpio10", "spi=miso-data", "D1 63 2C 40 17 54 3A 2F"},
	} {
		t.Run(c.test+" "+c.show, func(t *testing.T) {
			probe := parts.AllPins()
			rig := blockrig.New(t, blockrig.Config{Parts: []emu.Part{c.part, probe}})
			rig.Start(blockrig.Test{Name: "parts::tests::" + c.test})
			probe.Begin()
			if _, ended := rig.Step(2 * time.Second); !ended {
				t.Fatal("the test has not ended")
			}
			if probe.Lost() > 0 {
				t.Fatalf("%d changes are lost", probe.Lost())
			}
			var dump bytes.Buffer
			if err := probe.WriteVCD(&dump); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "pins.vcd")
			if err := os.WriteFile(file, dump.Bytes(), 0o666); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(sigrok, "-i", file, "-I", "vcd:downsample="+c.downsample, "-P", c.decoder, "-A", c.show).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var words []string
			for _, l := range strings.Split(strings.TrimSpace(string(out)), "\n") {
				_, text, _ := strings.Cut(l, ": ")
				words = append(words, text)
			}
			if text := strings.Join(words, " "); !strings.Contains(text, c.want) {
				t.Errorf("sigrok reads %.600s, want %s", text, c.want)
			}
		})
	}
}
