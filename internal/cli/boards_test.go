package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"espalier.dev/espalier/esp/loader"
)

func TestRememberBoard(t *testing.T) {
	project := t.TempDir()
	t.Chdir(project)
	store := filepath.Join(project, "store")
	a := newApp(nil, bytes.NewReader(nil), new(bytes.Buffer), new(bytes.Buffer), lookupIn([]string{"ESPALIER_STORE=" + store}))
	id := loader.Identity{MAC: [6]byte{2, 0, 0, 0, 0, 1}}
	if p := a.recallBoard(id); p != nil {
		t.Errorf("known from the start: %v", p)
	}
	a.rememberBoard(id, []loader.Part{{Name: "bootloader", Bytes: []byte("boot")}})
	if p := a.recallBoard(id); p != nil {
		t.Errorf("known outside of a project: %v", p)
	}
	if err := os.WriteFile("Cargo.toml", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	boot, app := loader.Part{Name: "bootloader", Bytes: []byte("boot\nloader")}, loader.Part{Name: "factory", Offset: 0x10000, Bytes: bytes.Repeat([]byte("app\n"), 5000)}
	a.rememberBoard(id, []loader.Part{boot, app})
	newer := loader.Part{Name: "factory", Offset: 0x11000, Bytes: []byte("newer")}
	a.rememberBoard(id, []loader.Part{newer}) // overlaps the app, not the bootloader
	got := a.recallBoard(id)
	if len(got) != 2 || got[0].Offset != 0x11000 || string(got[0].Bytes) != "newer" || got[1].Name != "bootloader" || string(got[1].Bytes) != "boot\nloader" {
		t.Errorf("%+v", got)
	}
	path := filepath.Join(project, "target", "espalier", "boards", "020000000001")
	if _, err := os.Stat(store); err == nil {
		t.Error("something is in the store")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, damaged := range [][]byte{nil, []byte("x\n"), b[:len(b)-1], []byte(`{"version":1,"parts":[{"size":-1}]}` + "\n")} {
		if err := os.WriteFile(path, damaged, 0o666); err != nil {
			t.Fatal(err)
		}
		if p := a.recallBoard(id); p != nil {
			t.Errorf("%q is believed: %v", damaged, p)
		}
	}
	a.rememberBoard(loader.Identity{}, []loader.Part{boot}) // without a MAC address: nowhere
	for n := range 40 {
		a.rememberBoard(loader.Identity{MAC: [6]byte{9, byte(n)}}, []loader.Part{boot})
	}
	if list, _ := os.ReadDir(filepath.Dir(path)); len(list) != boardsKept {
		t.Errorf("%d boards are remembered", len(list))
	}
}
