package c3

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"sync"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/rv32"
)

// Boards that restore one snapshot share its memory until they write: what one of
// them writes no other sees, also when they run at a time.
func TestForksShareMemory(t *testing.T) {
	const at = sram1Data + 0x20000
	cfg := emu.Config{ROM: program(func(b *asm) { quietWatchdogs(b); b.j(b.pc()) }).rom(), Flash: bytes.Repeat([]byte{0xff}, 1<<20)}
	first, board, err := newBoard(cfg)
	if err != nil {
		t.Fatal(err)
	}
	board.Run(t.Context(), emu.Limit(time.Millisecond))
	first.m.CPU.Memory().Write(at, []byte("first"))
	snap := board.Snapshot()
	all := snap.SharedBytes(snap)

	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			c, b, err := newBoard(cfg)
			if err != nil {
				t.Error(err)
				return
			}
			if err := b.Restore(snap); err != nil {
				t.Error(err)
				return
			}
			if got := b.Snapshot().SharedBytes(snap); got != all {
				t.Errorf("%d of %d bytes are shared after a restore", got, all)
			}
			mine := bytes.Repeat([]byte{byte('a' + i)}, 5)
			c.m.CPU.Memory().Write(at, mine)
			c.flash.exec(flWriteEnable, 0, nil, nil)
			c.flash.exec(flPageProgram, 0x5000, mine, nil)
			b.Run(t.Context(), emu.Limit(time.Millisecond))
			got := make([]byte, 5)
			if c.m.CPU.Memory().Read(at, got); !bytes.Equal(got, mine) {
				t.Errorf("board %d reads %q", i, got)
			}
			if c.flash.exec(flRead, 0x5000, nil, got); !bytes.Equal(got, mine) {
				t.Errorf("board %d reads %q from its flash", i, got)
			}
			if got := b.Snapshot().SharedBytes(snap); got != all-2*rv32.PageSize {
				t.Errorf("two pages were written, and %d bytes are not shared", all-got)
			}
		})
	}
	wg.Wait()
	got := make([]byte, 5)
	first.m.CPU.Memory().Read(at, got)
	first.flash.exec(flRead, 0x5000, nil, got[:1])
	if string(got) != "\xffirst" {
		t.Errorf("a fork's write is seen by the board of the snapshot: %q", got)
	}
	if cfg.Flash[0x5000] != 0xff {
		t.Error("the flash image of the configuration was written to")
	}
}

// FuzzSnapshot restores damaged snapshots: each is refused and leaves the board
// unchanged, or gives a board that runs.
func FuzzSnapshot(f *testing.F) {
	cfg := emu.Config{ROM: program(busy).rom(), Flash: bytes.Repeat([]byte{0xff}, 1<<20)}
	board, err := New(cfg)
	if err != nil {
		f.Fatal(err)
	}
	board.Send(emu.UART0, []byte("some input"))
	board.Run(f.Context(), emu.Limit(3*time.Millisecond))
	saved := board.Snapshot().Bytes()
	f.Add(uint32(8), []byte{1})
	f.Add(uint32(12), []byte{0xff, 0xff, 0xff, 0xff})
	f.Add(uint32(40), []byte{7})
	f.Add(uint32(0x1000), bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, at uint32, damage []byte) {
		p := bytes.Clone(saved)
		body := p[:len(p)-4]
		// Damage is in the header and the fields: memory may have any content.
		fields := binary.LittleEndian.Uint32(p[12:])
		for i, d := range damage {
			body[(at+uint32(i))%(36+fields)] ^= d
		}
		binary.LittleEndian.PutUint32(p[len(body):], crc32.ChecksumIEEE(body))
		s, err := emu.ParseSnapshot(p)
		if err != nil {
			return
		}
		b, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		before := b.Now()
		if err := b.Restore(s); err != nil {
			if b.Now() != before {
				t.Error("a refused snapshot changed the board")
			}
			return
		}
		b.Run(t.Context(), emu.Limit(100*time.Microsecond), emu.Instructions(5000))
	})
}

// A snapshot with any byte of its fields damaged does as FuzzSnapshot says.
func TestDamagedSnapshot(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	c, board, err := newBoard(emu.Config{ROM: program(busy).rom(), Flash: bytes.Repeat([]byte{0xff}, 1<<20)})
	if err != nil {
		t.Fatal(err)
	}
	board.Run(t.Context(), emu.Limit(3*time.Millisecond))
	saved := chip.Save(c.m.State, 0)
	for i := 0; i < len(saved.Fields); i += 997 {
		q := chip.Saved{Fields: bytes.Clone(saved.Fields), Banks: saved.Banks}
		q.Fields[i] ^= 0xff
		if chip.Load(q, c.m.State) == nil {
			board.Run(t.Context(), emu.Limit(100*time.Microsecond), emu.Instructions(2000))
		}
	}
}
