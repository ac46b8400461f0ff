package loader

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/internal/elftest"
	"espalier.dev/espalier/internal/emuport"
)

// fused is a healthy chip with one more word of eFuse burnt; off is that of
// the read register.
func fused(t *testing.T, off int, bits uint32) emu.Config {
	t.Helper()
	b := board(t, emu.Config{}, emuport.Options{}).Board().EFuse()
	at := off - 0x2c
	for i := range 4 {
		b[at+i] |= byte(bits >> (8 * i))
	}
	return emu.Config{EFuse: b}
}

// What the real ROM says about security decides, before anything is written.
func TestFusedChips(t *testing.T) {
	img := hello(t)
	for _, tc := range []struct {
		name string
		off  int
		bits uint32
		want string
	}{
		{"secure boot", 0x38, 1 << 20, "secure boot is on and bootloader is not signed"},
		{"flash encryption", 0x34, 1 << 18, "flash encryption is on"},
		{"secure download", 0x3c, 1 << 5, "Secure Download mode"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := fused(t, tc.off, tc.bits)
			cfg.Flash = bytes.Repeat([]byte{0xa5}, 4<<20)
			p := board(t, cfg, emuport.Options{})
			l := connect(t, p, Options{})
			_, err := l.Write(t.Context(), parts(img), WriteOptions{})
			var refused *RefusedError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v", err)
			}
			if !bytes.Equal(contents(p), cfg.Flash) {
				t.Error("something was written")
			}
			if l.security.SecureDownload() {
				var secure *SecureDownloadError
				if _, err := l.Read(t.Context(), 0, 16, nil); !errors.As(err, &secure) {
					t.Errorf("reading: %v", err)
				}
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	p := board(t, emu.Config{MAC: [6]byte{0x34, 0x85, 0x18, 1, 2, 3}, Flash: bytes.Repeat([]byte{0xff}, 8<<20)}, emuport.Options{})
	l := connect(t, p, Options{})
	id, err := l.Identity(t.Context())
	if err != nil || id.MAC != [6]byte{0x34, 0x85, 0x18, 1, 2, 3} || id.Revision != 4 || id.Block != 103 {
		t.Errorf("%+v, %v", id, err)
	}
	f, err := l.FlashID(t.Context())
	if err != nil || f.Size != 8<<20 || f.Manufacturer != 0xc8 || f.Device != 0x4017 {
		t.Errorf("%v, %v", f, err)
	}
}

// halfWired is a port whose DTR leads nowhere.
type halfWired struct{ *emuport.Port }

func (h halfWired) SetLines(ctx context.Context, _, rts bool) error {
	return h.Port.SetLines(ctx, false, rts)
}

// A chip that cannot be reached is described by what came instead.
func TestConnectErrors(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  func() error
		want string
		hint string
	}{
		{"boot pin not wired", func() error {
			_, err := Connect(t.Context(), halfWired{board(t, emu.Config{}, emuport.Options{})}, Options{})
			return err
		}, "boots its firmware instead of the loader (boot:0xd (SPI_FAST_FLASH_BOOT))", "GPIO9"},
		{"no lines and not in the loader", func() error {
			_, err := Connect(t.Context(), board(t, emu.Config{}, emuport.Options{NoLines: true}), Options{})
			return err
		}, "boots its firmware instead", "no modem lines"},
		{"held in reset", func() error {
			p := board(t, emu.Config{}, emuport.Options{})
			if err := p.SetLines(t.Context(), false, true); err != nil {
				t.Fatal(err)
			}
			_, err := Connect(t.Context(), p, Options{Before: NoReset})
			return err
		}, "no answer", "powered"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.err()
			var c *ConnectError
			if !errors.As(err, &c) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(strings.Join(c.Hints(), "\n"), tc.hint) {
				t.Errorf("%v", err)
			}
		})
	}
}

// Erasing touches what was named and nothing next to it.
func TestErase(t *testing.T) {
	full := bytes.Repeat(elftest.Fill(1<<16, 3), 16)
	for _, tc := range []struct {
		name     string
		at, size uint32
	}{
		{"a sector", 0x9000, 0x1000},
		{"across blocks", 0x1f000, 0x22000},
		{"everything", 0, 1 << 20},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := board(t, emu.Config{Flash: full}, emuport.Options{})
			l := connect(t, p, Options{})
			if err := l.Erase(t.Context(), tc.at, tc.size, nil); err != nil {
				t.Fatal(err)
			}
			want := bytes.Clone(full)
			for i := range tc.size {
				want[tc.at+i] = 0xff
			}
			if !bytes.Equal(contents(p), want) {
				t.Error("something else was erased, or not all of it")
			}
		})
	}
}

// Reading with the ROM and with the stub gives what is there, for any range.
func TestRead(t *testing.T) {
	full := bytes.Repeat(elftest.Fill(1<<16, 3), 16)
	for _, st := range []*Stub{nil, stub(t)} {
		p := board(t, emu.Config{Flash: full}, emuport.Options{})
		l := connect(t, p, Options{Stub: st, Baud: 921600})
		for _, r := range [][2]uint32{{0, 1}, {0x123, 0x77}, {0x8000, 0xc00}, {0xfff0, 0x3020}} {
			b, err := l.Read(t.Context(), r[0], r[1], nil)
			if err != nil || !bytes.Equal(b, full[r[0]:][:r[1]]) {
				t.Errorf("stub %t, 0x%x bytes at 0x%x: %d bytes, %v", st != nil, r[1], r[0], len(b), err)
			}
		}
		var refused *RefusedError
		if _, err := l.Read(t.Context(), 0xff000, 0x1001, nil); !errors.As(err, &refused) {
			t.Errorf("beyond the end: %v", err)
		}
	}
}
