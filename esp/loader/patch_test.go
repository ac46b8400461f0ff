package loader

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/klauspost/compress/zlib"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/elftest"
	"espalier.dev/espalier/internal/emuport"
	"espalier.dev/espalier/rv32"
	"espalier.dev/espalier/serial"
)

// moved is what an edit makes of compiled code: bytes are inserted, what
// follows moves, and here and there an operand changes.
func moved(b []byte, at, insert int) []byte {
	out := append(bytes.Clone(b[:at]), elftest.Fill(insert, 5)...)
	out = append(out, b[at:]...)
	for i := at; i+4 < len(out); i += 1111 {
		out[i] += byte(insert)
	}
	return out
}

// apply does what the patcher does.
func apply(t *testing.T, flash []byte, p patch) {
	t.Helper()
	z, err := zlib.NewReader(bytes.NewReader(p.deflated))
	if err != nil {
		t.Fatal(err)
	}
	var in bytes.Buffer
	if _, err := in.ReadFrom(z); err != nil || in.Len() != p.size || p.size > largestPatch {
		t.Fatalf("inflates to %d bytes, want %d: %v", in.Len(), p.size, err)
	}
	b := in.Bytes()
	word := func(at int) int { return int(binary.LittleEndian.Uint32(b[at:])) }
	data := b[word(0):]
	at := 8 + 8*word(4)
	for done := 0; word(at) != 0; at += 8 {
		n, from := word(at), word(at+4)
		if from != 0xffffffff {
			for i := range n {
				data[done+i] += flash[from+i]
			}
		}
		done += n
	}
	for i := range word(4) {
		to, n := word(8+8*i), word(12+8*i)
		copy(flash[to:], data[:n])
		data = data[n:]
	}
	if len(data) != 0 {
		t.Fatalf("%d bytes of the patch are for nothing", len(data))
	}
}

func differing(addr uint32, want, have []byte) (runs []Range) {
	for i := 0; i < len(want); i += sector {
		if i+sector > len(have) || !bytes.Equal(want[i:i+sector], have[i:i+sector]) {
			runs = addRun(runs, addr+uint32(i), sector)
		}
	}
	return runs
}

// Applying the patches always gives what was wanted.
func TestPatches(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	runs := 200
	if testing.Short() {
		runs = 40
	}
	for n := range runs {
		have := elftest.Fill((1+rnd.IntN(90))*sector, 3)
		want := bytes.Clone(have)
		for range rnd.IntN(4) {
			at := rnd.IntN(len(want))
			switch rnd.IntN(3) {
			case 0:
				want = moved(want, at, 1+rnd.IntN(300))
			case 1:
				want = append(want[:at:at], want[min(len(want), at+1+rnd.IntN(9000)):]...)
			default:
				copy(want[at:], elftest.Fill(rnd.IntN(5000), rnd.Uint32()|1))
			}
		}
		want = padded(want)
		runs := differing(0x10000, want, have)
		list, ok := patches(0x10000, want, have, runs)
		if !ok {
			continue
		}
		flash := make([]byte, 0x10000+max(len(want), len(have)))
		copy(flash[0x10000:], have)
		for _, p := range list {
			apply(t, flash, p)
		}
		if !bytes.Equal(flash[0x10000:][:len(want)], want) {
			t.Fatalf("run %d: the patches make something else", n)
		}
	}
}

// TestPatcherProgram reads the program back with the disassembler.
func TestPatcherProgram(t *testing.T) {
	b := patcherProgram()
	if len(b) > patcherParams-0x3fc80000 {
		t.Fatalf("%d bytes", len(b))
	}
	for at := 0; at < len(b); at += 4 {
		text, size := rv32.Disassemble(binary.LittleEndian.Uint32(b[at:]), uint32(patcherCode+at))
		if size != 4 {
			t.Errorf("%08x: %s", patcherCode+at, text)
		}
		t.Logf("%08x  %s", patcherCode+at, text)
	}
}

// TestPatchOnChip: the real ROM runs the patcher, on every revision, over both
// streams; nothing but the part changes, and what was sent is a fraction.
func TestPatchOnChip(t *testing.T) {
	base := elftest.Fill(100*sector, 9)
	flipped := bytes.Clone(base)
	flipped[77777] ^= 1
	for _, tc := range []struct {
		name string
		rom  string
		opt  emuport.Options
		want []byte
		most int // bytes sent
	}{
		{"one byte", "esp32c3_rev300_rom.elf", emuport.Options{}, flipped, 1500},
		{"inserted in front", "esp32c3_rev300_rom.elf", emuport.Options{}, moved(base, 5000, 17), 4500},
		{"revision 1.1", "esp32c3_rev101_rom.elf", emuport.Options{}, moved(base, 5000, 16), 4500},
		{"revision 0", "esp32c3_rev0_rom.elf", emuport.Options{}, moved(base, 5000, 16), 4500},
		{"USB", "esp32c3_rev300_rom.elf", emuport.Options{Stream: emu.USB}, moved(base, 5000, 16), 4500},
		{"no lines", "esp32c3_rev300_rom.elf", emuport.Options{NoLines: true}, moved(base, 30*sector, 3), 4500},
		{"grown", "esp32c3_rev300_rom.elf", emuport.Options{}, moved(base, 99*sector+7, sector), 12_000},
		{"shrunk", "esp32c3_rev300_rom.elf", emuport.Options{}, append(bytes.Clone(base[:3000]), base[3100:60*sector]...), 2500},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			flash := bytes.Repeat(elftest.Fill(1<<16, 7), 16)
			copy(flash[0x10000:], base)
			p := board(t, emu.Config{ROM: resource(t, "roms", tc.rom), Flash: flash, Strap: emu.StrapDownload}, tc.opt)
			l := connect(t, p, Options{Baud: 460800, Stub: stub(t)})
			sum, err := l.Write(t.Context(), []Part{{Name: "app", Offset: 0x10000, Bytes: tc.want}}, WriteOptions{Known: func(id Identity) []Part {
				if id.MAC == [6]byte{} {
					t.Error("no MAC address")
				}
				return []Part{{Name: "app", Offset: 0x10000, Bytes: base}}
			}})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d bytes of flash, %d patched, %d sent, %d received, %v", sum.Bytes, sum.Patched, sum.Sent, sum.Received, sum.Elapsed)
			copy(flash[0x10000:], padded(tc.want))
			if !bytes.Equal(contents(p)[:len(flash)], flash) {
				t.Error("the flash holds something else")
			}
			if sum.Patched != sum.Bytes || sum.Retries != 0 || sum.Sent > tc.most {
				t.Errorf("%+v", sum)
			}
		})
	}
}

// spoiler changes two bytes of the first patch that passes, so that the block's
// checksum stays right.
type spoiler struct {
	*emuport.Port
	on bool
}

func (s *spoiler) Write(ctx context.Context, p []byte) error {
	if s.on && len(p) > 200 && opcode(p[2]) == opMemData && bytes.Contains(p, []byte{0x78, 0xda}) {
		p = bytes.Clone(p)
		for _, at := range []int{len(p) / 2, len(p)/2 + 40} {
			for p[at]|1 == slipEnd|1 || p[at]|1 == slipEsc|1 || p[at-1] == slipEsc {
				at++
			}
			p[at] ^= 1
		}
		s.on = false
	}
	return s.Port.Write(ctx, p)
}

// What is remembered may be wrong, and a patch may be damaged on the way: the
// end is the same.
func TestPatchAnyway(t *testing.T) {
	devtest.Long(t, "boots a chip for each case")
	base := elftest.Fill(30*sector, 9)
	want := moved(base, 5000, 16)
	for _, tc := range []struct {
		name    string
		have    []byte
		known   []byte
		damage  bool
		patched bool
	}{
		{"another image", elftest.Fill(30*sector, 11), base, false, false},
		{"a sector was written since", append(elftest.Fill(sector, 2), base[sector:]...), base, false, false},
		{"it is there already", padded(want), base, false, false},
		{"shorter", base, base[:3*sector], false, false},
		{"damaged", base, base, true, false},
		{"not wanted", base, base, false, false},
		{"good", base, base, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			flash := bytes.Repeat(elftest.Fill(1<<16, 7), 16)
			copy(flash[0x10000:], tc.have)
			p := board(t, emu.Config{Flash: flash, Strap: emu.StrapDownload}, emuport.Options{})
			l := connect(t, &spoiler{p, tc.damage}, Options{Baud: 460800})
			sum, err := l.Write(t.Context(), []Part{{Name: "app", Offset: 0x10000, Bytes: want}}, WriteOptions{NoPatch: tc.name == "not wanted", Known: func(Identity) []Part {
				return []Part{{Name: "app", Offset: 0x10000, Bytes: tc.known}}
			}})
			if err != nil {
				t.Fatal(err)
			}
			copy(flash[0x10000:], padded(want))
			if !bytes.Equal(contents(p)[:len(flash)], flash) {
				t.Error("the flash holds something else")
			}
			if (sum.Patched > 0) != tc.patched || (sum.Retries > 0) != tc.damage {
				t.Errorf("%+v", sum)
			}
		})
	}
}

// TestKilledWhilePatching: a flasher that dies while the chip patches leaves
// flash that is neither the old nor the new; the next one finishes, whatever it
// remembers.
func TestKilledWhilePatching(t *testing.T) {
	devtestResources(t)
	base := elftest.Fill(100*sector, 9)
	want := moved(base, 5000, 16)
	before := bytes.Repeat(elftest.Fill(1<<16, 7), 16)
	copy(before[0x10000:], base)
	after := bytes.Clone(before)
	copy(after[0x10000:], padded(want))
	halves := 0
	const runs = 60
	for seed := range runs {
		rnd := rand.New(rand.NewPCG(uint64(seed), 5))
		p := board(t, emu.Config{Flash: before, Strap: emu.StrapDownload}, emuport.Options{NoLines: seed%4 == 3})
		write := func(ctx context.Context, port serial.Port) error {
			l, err := Connect(ctx, port, Options{Baud: 460800})
			if err != nil {
				return err
			}
			_, err = l.Write(ctx, []Part{{Name: "app", Offset: 0x10000, Bytes: want}}, WriteOptions{Known: func(Identity) []Part {
				return []Part{{Name: "app", Offset: 0x10000, Bytes: base}}
			}})
			return err
		}
		ctx, cancel := context.WithCancel(t.Context())
		err := write(ctx, &dying{p, 700*time.Millisecond + time.Duration(rnd.Int64N(int64(1100*time.Millisecond))), cancel})
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("seed %d: %v", seed, err)
		}
		p.Close()
		p.Reopen()
		if have := contents(p); !bytes.Equal(have[:len(before)], before) && !bytes.Equal(have[:len(after)], after) {
			halves++
		}
		if err := write(t.Context(), p); err != nil {
			t.Fatalf("seed %d: the next flash fails: %v", seed, err)
		}
		if !bytes.Equal(contents(p)[:len(after)], after) {
			t.Fatalf("seed %d: the flash holds something else", seed)
		}
	}
	t.Logf("%d of %d died between the old and the new", halves, runs)
	if halves < runs/5 {
		t.Error("too few died while the chip was patching")
	}
}
