package rtt

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// ram is memory at an address.
type ram struct {
	base uint32
	b    []byte
}

func (r *ram) at(addr uint32, n int) []byte {
	if off := int64(addr) - int64(r.base); off >= 0 && off+int64(n) <= int64(len(r.b)) {
		return r.b[off : off+int64(n)]
	}
	return nil
}

func (r *ram) Read(addr uint32, p []byte) bool {
	b := r.at(addr, len(p))
	copy(p, b)
	return b != nil
}

func (r *ram) Write(addr uint32, p []byte) bool {
	b := r.at(addr, len(p))
	copy(b, p)
	return b != nil
}

const (
	base   = 0x3fc80000
	blockA = base + 0x100
	upA    = base + 0x400
	downA  = base + 0x500
	nameA  = base + 0x600
)

// firmware is a memory with a control block: an up channel of 8 bytes and a down
// channel of 4.
func firmware() *ram {
	r := &ram{base, make([]byte, 0x1000)}
	copy(r.b[0x600:], "Terminal\x00")
	b := append([]byte{}, id...)
	for _, w := range []uint32{1, 1, nameA, upA, 8, 0, 0, 0, nameA, downA, 4, 0, 0, 0} {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	copy(r.b[0x100:], b)
	return r
}

func (r *ram) word(addr uint32) uint32       { return binary.LittleEndian.Uint32(r.at(addr, 4)) }
func (r *ram) setWord(addr uint32, v uint32) { binary.LittleEndian.PutUint32(r.at(addr, 4), v) }

// write is what firmware does: it returns how much had room.
func (r *ram) write(p string) int {
	const ch = blockA + headerSize
	for i := range len(p) {
		w, size := r.word(ch+offsetWrite), r.word(ch+8)
		if (w+1)%size == r.word(ch+offsetRead) {
			return i
		}
		r.at(upA+w, 1)[0] = p[i]
		r.setWord(ch+offsetWrite, (w+1)%size)
	}
	return len(p)
}

func TestUp(t *testing.T) {
	r := firmware()
	at, ok := Find(r, base, base+0x1000)
	if !ok || at != blockA {
		t.Fatalf("found at 0x%08x, %v", at, ok)
	}
	b := New(r, at)
	var got []byte
	poll := func() {
		b.Poll(func(c Channel, p []byte) {
			if c.Number != 0 || c.Name != "Terminal" {
				t.Errorf("channel %+v", c)
			}
			got = append(got, p...)
		})
	}
	poll()
	if mode := r.word(blockA+headerSize+offsetFlags) & modeMask; mode != modeBlock {
		t.Errorf("mode %d after the first poll", mode)
	}
	const text = "a line that wraps around the buffer several times\n"
	for rest := text; rest != ""; {
		rest = rest[r.write(rest):]
		poll()
	}
	if string(got) != text {
		t.Errorf("%q", got)
	}
}

func TestDown(t *testing.T) {
	r := firmware()
	b := New(r, blockA)
	if n := b.Send(0, []byte("hello")); n != 3 {
		t.Fatalf("%d bytes had room, want 3", n)
	}
	const ch = blockA + headerSize + channelSize
	r.setWord(ch+offsetRead, 3) // the firmware has read them
	if n := b.Send(0, []byte("lo")); n != 2 {
		t.Errorf("%d bytes had room, want 2", n)
	}
	if got := r.at(downA, 4); !bytes.Equal(got, []byte("oell")) {
		t.Errorf("buffer %q", got)
	}
	if n := b.Send(1, []byte("x")) + b.Send(-1, []byte("x")); n != 0 {
		t.Errorf("%d bytes to channels that do not exist", n)
	}
}

// A control block is what the firmware, or an error in it, has written.
func TestDamaged(t *testing.T) {
	for name, damage := range map[string]func(*ram){
		"id":            func(r *ram) { r.b[0x100]++ },
		"many channels": func(r *ram) { r.setWord(blockA+16, 1<<31) },
		"buffer":        func(r *ram) { r.setWord(blockA+headerSize+4, 0x60000000) },
		"no buffer":     func(r *ram) { r.setWord(blockA+headerSize+4, 0) },
		"size":          func(r *ram) { r.setWord(blockA+headerSize+8, 0xffffffff) },
		"no size":       func(r *ram) { r.setWord(blockA+headerSize+8, 0) },
		"write offset":  func(r *ram) { r.setWord(blockA+headerSize+offsetWrite, 8) },
		"read offset":   func(r *ram) { r.setWord(blockA+headerSize+offsetRead, 1<<31) },
	} {
		r := firmware()
		r.write("text")
		damage(r)
		New(r, blockA).Poll(func(Channel, []byte) { t.Errorf("%s: delivered", name) })
	}
	r := firmware()
	r.write("text")
	r.setWord(blockA+headerSize, 0x1000) // its name is nowhere
	New(r, blockA).Poll(func(c Channel, p []byte) {
		if c.Name != "" || string(p) != "text" {
			t.Errorf("%+v %q", c, p)
		}
	})
	if _, ok := Find(r, 0, base); ok {
		t.Error("found where there is no memory")
	}
	New(r, 0xfffffff0).Poll(func(Channel, []byte) { t.Error("delivered") })
}

func TestFindAcrossPages(t *testing.T) {
	r := &ram{base, make([]byte, 3<<12)}
	copy(r.b[1<<12-8:], id)
	if at, ok := Find(r, base, base+3<<12); !ok || at != base+1<<12-8 {
		t.Errorf("0x%08x, %v", at, ok)
	}
}

func TestFrames(t *testing.T) {
	var f Frames
	var got []byte
	for _, p := range []string{"\x00ab", "c\x00de\x00", "\x00", "f\x00"} {
		got = f.Append(got, []byte(p))
	}
	if want := "\xff\x00abc\x00\xff\x00de\x00\xff\x00f\x00"; string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzBlock(f *testing.F) {
	f.Add(firmware().b, []byte("input"))
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, content, input []byte) {
		if len(content) > 1<<16 {
			return
		}
		r := &ram{base, bytes.Clone(content)}
		at, ok := Find(r, base, base+uint32(len(content)))
		if !ok {
			at = base
		}
		b := New(r, at)
		total := 0
		for range 3 {
			b.Poll(func(_ Channel, p []byte) { total += len(p) })
			b.Send(0, input)
		}
		if total > 3*maxChannels*len(content) {
			t.Errorf("%d bytes out of %d", total, len(content))
		}
	})
}
