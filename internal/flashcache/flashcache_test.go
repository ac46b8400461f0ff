package flashcache

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"espalier.dev/espalier/esp/loader"
)

func TestCache(t *testing.T) {
	c := Cache{Dir: filepath.Join(t.TempDir(), "boards")}
	id := loader.Identity{MAC: [6]byte{2, 0, 0, 0, 0, 1}}
	boot := loader.Part{Name: "bootloader", Bytes: []byte("boot\nloader")}
	app := loader.Part{Name: "factory", Offset: 0x10000, Bytes: bytes.Repeat([]byte("app\n"), 5000)}
	record := func(c Cache, id loader.Identity, parts ...loader.Part) {
		t.Helper()
		if err := c.Record(id, parts); err != nil {
			t.Error(err)
		}
	}
	if p := c.Recall(id); p != nil {
		t.Errorf("known from the start: %v", p)
	}
	record(Cache{}, id, boot)
	if p := (Cache{}).Recall(id); p != nil {
		t.Errorf("known without a folder: %v", p)
	}
	record(c, loader.Identity{}, boot)
	if p := c.Recall(loader.Identity{}); p != nil {
		t.Errorf("known without a MAC address: %v", p)
	}
	record(c, id, boot, app)
	record(c, id, loader.Part{Name: "factory", Offset: 0x11000, Bytes: []byte("newer")}) // overlaps the app, not the bootloader
	got := c.Recall(id)
	if len(got) != 2 || got[0].Offset != 0x11000 || string(got[0].Bytes) != "newer" || got[1].Name != "bootloader" || string(got[1].Bytes) != "boot\nloader" {
		t.Errorf("%+v", got)
	}
	for n := range 40 {
		record(c, loader.Identity{MAC: [6]byte{9, byte(n)}}, boot)
	}
	if list, _ := os.ReadDir(c.Dir); len(list) != maxBoards {
		t.Errorf("%d boards are kept", len(list))
	}
	if c.Recall(id) != nil {
		t.Error("the board that was used first is still kept")
	}
	if c.Recall(loader.Identity{MAC: [6]byte{9, 39}}) == nil {
		t.Error("the board that was used last is not kept")
	}
}

// A damaged file is as good as none.
func TestDamaged(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	id := loader.Identity{MAC: [6]byte{2, 0, 0, 0, 0, 1}}
	if err := c.Record(id, []loader.Part{{Name: "app", Bytes: []byte("content")}}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(c.path(id))
	if err != nil {
		t.Fatal(err)
	}
	for _, damaged := range [][]byte{nil, []byte("x\n"), b[:len(b)-1], []byte(`{"version":1,"parts":[{"size":-1}]}` + "\n"), []byte(`{"version":2,"parts":[]}` + "\n")} {
		if err := os.WriteFile(c.path(id), damaged, 0o666); err != nil {
			t.Fatal(err)
		}
		if p := c.Recall(id); p != nil {
			t.Errorf("%q was accepted: %v", damaged, p)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"parts":[{"name":"app","offset":65536,"size":3}]}` + "\nabc"))
	f.Add([]byte(`{"version":1,"parts":[{"size":-1}]}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		parts, err := decode(b)
		n := 0
		for _, p := range parts {
			n += len(p.Bytes)
		}
		if err == nil && n > len(b) {
			t.Errorf("%d bytes out of %d", n, len(b))
		}
	})
}
