package pcap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/internal/devtest"
)

// The blocks are read independently of the writer: each has its length at its
// start and at its end.
func TestBlocks(t *testing.T) {
	var b bytes.Buffer
	p := NewWriter(&b, time.Unix(1, 0), Interface{"wlan", Radiotap}, Interface{"lan", Ethernet})
	for size := range 9 {
		p.Frame(1, emu.Time(emu.Second)+emu.Time(size), make([]byte, size))
	}
	if p.Err() != nil {
		t.Fatal(p.Err())
	}
	var kinds []uint32
	for rest := b.Bytes(); len(rest) > 0; {
		size := binary.LittleEndian.Uint32(rest[4:])
		if size%4 != 0 || int(size) > len(rest) || binary.LittleEndian.Uint32(rest[size-4:]) != size {
			t.Fatalf("block of %d bytes", size)
		}
		kinds = append(kinds, binary.LittleEndian.Uint32(rest))
		if kinds[len(kinds)-1] == blockPacket {
			stamp := uint64(binary.LittleEndian.Uint32(rest[12:]))<<32 | uint64(binary.LittleEndian.Uint32(rest[16:]))
			if stamp < 2e9 || stamp > 2e9+100 {
				t.Errorf("frame at %d ns, want 2 s", stamp)
			}
		}
		rest = rest[size:]
	}
	if len(kinds) != 3+9 || kinds[0] != blockSection || kinds[1] != blockInterface || kinds[3] != blockPacket {
		t.Errorf("blocks %x", kinds)
	}
}

type full struct{ room int }

func (w *full) Write(b []byte) (int, error) {
	if w.room -= len(b); w.room < 0 {
		return 0, errors.New("full")
	}
	return len(b), nil
}

func TestFirstErrorStays(t *testing.T) {
	p := NewWriter(&full{200}, time.Unix(0, 0), Interface{"lan", Ethernet})
	for range 10 {
		p.Frame(0, 0, make([]byte, 60))
	}
	if p.Err() == nil || p.Err().Error() != "full" {
		t.Error(p.Err())
	}
}

func TestWiresharkReadsIt(t *testing.T) {
	capinfos := devtest.Tool(t, "tshark")
	var b bytes.Buffer
	p := NewWriter(&b, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Interface{"wlan", Radiotap}, Interface{"lan", Ethernet})
	frame := append(bytes.Repeat([]byte{0xff}, 6), 2, 0, 0, 0, 0, 1, 0x88, 0xb5, 1, 2, 3)
	p.Frame(1, emu.Time(1500*emu.Millisecond), frame)
	cmd := exec.Command(capinfos, "-r", "-", "-T", "fields", "-e", "frame.interface_name", "-e", "frame.time_epoch", "-e", "eth.src")
	cmd.Stdin = &b
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(out)); len(got) != 3 || got[0] != "lan" || got[1] != "1767225601.500000000" || got[2] != "02:00:00:00:00:01" {
		t.Errorf("%q", out)
	}
}
