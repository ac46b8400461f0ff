package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/elftest"
	"espalier.dev/espalier/internal/emuport"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/store"
)

// flashOf is a flash image of the specimen program.
func flashOf(t testing.TB) *image.Flash {
	t.Helper()
	f, err := image.FromELF(elftest.Hello().Bytes(), image.Inputs{Bootloader: elftest.Bootloader(5)})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// described is the view of a file that the chip can use.
func described[T Event](t *testing.T, name string, b []byte) (View, T) {
	t.Helper()
	v, err := File(name, b)
	if err != nil {
		t.Fatal(err)
	}
	e, ok := v.Event.(T)
	if !ok {
		t.Fatalf("%s is described as %T", name, v.Event)
	}
	return v, e
}

func TestELF(t *testing.T) {
	b := elftest.Hello().Bytes()
	v, e := described[ELF](t, "hello.elf", b)
	if e.File != "hello.elf" || e.Size != len(b) || e.SHA256 != store.DigestOf(b).Hash || e.Entry != "0x42010020" || e.Function != "main" || e.Chip != "esp32c3" {
		t.Errorf("%+v", e)
	}
	if d := e.Descriptor; d == nil || d.Project != "hello" || d.Version != "0.1.0" || d.Date != "2026-01-01" || d.IDFVersion != "5.5.1" || d.MaxBlockRevision != 0xffff {
		t.Errorf("%+v", e.Descriptor)
	}
	// The standard library is the oracle of the sections, and their sum that of the memories.
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var want []Section
	sums := map[string][2]uint64{}
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC != 0 {
			want = append(want, Section{Name: s.Name, Address: address(uint32(s.Addr)), Size: uint32(s.Size), Loaded: s.Type != elf.SHT_NOBITS})
		}
	}
	slices.SortFunc(want, func(a, b Section) int { return strings.Compare(a.Address, b.Address) })
	if len(want) != len(e.Sections) {
		t.Fatalf("%d sections, want %d", len(e.Sections), len(want))
	}
	for i, got := range e.Sections {
		sum := sums[got.Region]
		if got.Loaded {
			sum[0] += uint64(got.Size)
		} else {
			sum[1] += uint64(got.Size)
		}
		sums[got.Region] = sum
		if got.Region == "" {
			t.Errorf("section %s is in no memory", got.Name)
		}
		got.Region = ""
		if got != want[i] {
			t.Errorf("section %+v, want %+v", got, want[i])
		}
	}
	for _, r := range e.Regions {
		if got := [2]uint64{r.Loaded, r.Reserved}; got != sums[r.Name] {
			t.Errorf("%s: %d loaded and reserved, the sections have %d", r.Name, got, sums[r.Name])
		}
		delete(sums, r.Name)
	}
	if len(sums) > 0 {
		t.Errorf("memories without a row: %v", sums)
	}
	text, _ := show(t, v)
	for _, want := range []string{" 0x42010020 main\n", " hello 0.1.0\n", ".bss", "reserved"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// A program for another machine or chip is an error that names it.
func TestOtherELF(t *testing.T) {
	xtensa, c6 := elftest.Hello(), elftest.Hello()
	xtensa.Machine = elf.EM_XTENSA
	c6.Sections[7].Data = []byte("esp32c60")
	for _, tc := range []struct {
		file elftest.File
		want string
	}{{xtensa, "Xtensa"}, {c6, "esp32c6"}} {
		_, err := File("other.elf", tc.file.Bytes())
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(tc.want)) {
			t.Errorf("%v, want one with %s", err, tc.want)
		}
	}
}

func TestImage(t *testing.T) {
	app := flashOf(t).App()
	_, e := described[Image](t, "app.bin", app)
	if e.File != "app.bin" || e.Size != len(app) || e.Chip != "esp32c3" || e.Entry != "0x42010020" || !e.ChecksumOK || !e.SHA256OK || len(e.Problems) > 0 || e.Descriptor.Project != "hello" {
		t.Errorf("%+v", e)
	}
	for _, s := range e.Segments {
		if s.Memory == "" {
			t.Errorf("segment %+v is in no memory", s)
		}
	}

	// A flipped byte is an error with a view that says which sum is wrong.
	bad := bytes.Clone(app)
	bad[0x200] ^= 1
	v, err := File("bad.bin", bad)
	text, event := show(t, v)
	if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), "would not start it") || !strings.Contains(text, "(wrong)") || !strings.Contains(event, `"checksum-ok":false`) {
		t.Errorf("%v\n%s\n%s", err, text, event)
	}

	v, err = File("long.bin", append(bytes.Clone(app), 1, 2, 3))
	if err != nil || len(v.Notes) != 1 || v.Notes[0] != "long.bin: 3 bytes after the image" {
		t.Errorf("%v %q", err, v.Notes)
	}
}

func TestFlash(t *testing.T) {
	f := flashOf(t)
	v, e := described[Flash](t, "flash.bin", f.Merged())
	_, app := described[Image](t, "app.bin", f.App())
	if e.Size != 4<<20 || e.FlashSize != 4<<20 || e.TableOffset != 0x8000 || e.Bootloader == nil || *e.Bootloader.Offset != 0 || len(e.Apps) != 1 {
		t.Fatalf("%+v", e)
	}
	got := e.Apps[0]
	if got.Partition == "" || *got.Offset != f.Parts[2].Offset {
		t.Errorf("app in %q at 0x%x, want 0x%x", got.Partition, *got.Offset, f.Parts[2].Offset)
	}
	got.Partition, got.Offset, got.File, app.File = "", nil, "", ""
	if !reflect.DeepEqual(got, app) {
		t.Errorf("the app in the flash is %+v, alone %+v", got, app)
	}
	text, _ := show(t, v)
	if !strings.Contains(text, "bootloader at 0x0") || !strings.Contains(text, "app in partition ") {
		t.Errorf("%s", text)
	}

	blank := f.Merged()
	for i := range f.Parts[2].Bytes {
		blank[int(f.Parts[2].Offset)+i] = 0xff
	}
	v, err := File("blank.bin", blank)
	if text, _ := show(t, v); err != nil || !strings.Contains(text, "blank") || len(v.Event.(Flash).Apps) != 0 {
		t.Errorf("%v\n%s", err, text)
	}
	noBoot := f.Merged()
	clear(noBoot[:16])
	if v, err := File("noboot.bin", noBoot); err == nil || !strings.HasPrefix(err.Error(), "bootloader: ") || v.Event == nil {
		t.Errorf("%v, %T", err, v.Event)
	}
}

func TestLock(t *testing.T) {
	d := store.DigestOf([]byte("x"))
	f := &lock.File{
		Version: lock.Version, Tool: "espalier 1.0.0",
		Project: lock.Project{SourceDateEpoch: 1_700_000_000, Layout: 1, CargoLock: d},
		Toolchains: []lock.Toolchain{{
			Host: "linux/amd64", Supplier: "debian:trixie", Channel: "stable", Rustc: "1.85.0", Rootfs: d, Prune: 1,
			Packages: []lock.Package{
				{Name: "libc6", Version: "2.41", Arch: "amd64", Digest: store.Digest{Hash: d.Hash, Size: 1 << 20}, Path: "pool/l.deb"},
				{Name: "rustc", Version: "1.85.0", Arch: "amd64", Digest: store.Digest{Hash: d.Hash, Size: 2 << 20}, Path: "pool/r.deb"},
			},
		}},
		Std: lock.Std{Lock: d},
		Crates: []lock.Crate{
			{Name: "a", Version: "1.0.0", Digest: d, For: []string{"std"}},
			{Name: "b", Version: "1.0.0", Digest: d, For: []string{"project"}},
			{Name: "c", Version: "1.0.0", Digest: d, For: []string{"project", "std"}},
		},
		Blobs: []lock.Blob{{Name: "bootloader", Digest: d, From: "espflash 4.7.0: b.bin", Crate: d}},
	}
	b, err := lock.Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	v, e := described[LockFile](t, "renamed.toml", b) // by its content
	if tool := e.Lock["tool"]; tool != "espalier 1.0.0" {
		t.Errorf("tool %v in %v", tool, e.Lock)
	}
	text, event := show(t, v)
	for _, want := range []string{"written by espalier 1.0.0", "2023-11-14T22:13:20Z", "3, 2 of them for the standard library", "3.0 MiB", d.Hash[:16]} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if !json.Valid([]byte(event)) || strings.Contains(text, "golden") || strings.Contains(text, "git crates") {
		t.Errorf("%s\n%s", text, event)
	}
	if _, err := File(lock.FileName, []byte("not a lock")); err == nil || fault.KindOf(err) == fault.Usage && strings.Contains(err.Error(), "neither an ELF") {
		t.Errorf("a damaged lock: %v", err)
	}
}

// The chip of a board, read by the serial loader of the emulated chip's mask ROM.
func TestBoard(t *testing.T) {
	st, err := store.Open(t.Context(), devtest.Store(t))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	rom, err := chipfiles.Own().ROM(t.Context(), st, chipfiles.EmulatedRevision)
	if err != nil {
		devtest.Missing(t, "the chip's files in the store (scripts/firmware)")
	}
	p, err := emuport.New(emu.Config{ROM: rom, Flash: bytes.Repeat([]byte{0xff}, 4<<20)}, emuport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	l, err := loader.Connect(t.Context(), p, loader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := Board(t.Context(), "emulated", l)
	if err != nil {
		t.Fatal(err)
	}
	e := v.Event.(Chip)
	if e.Port != "emulated" || e.Chip != "esp32c3" || e.Revision != revision(chipfiles.EmulatedRevision) || e.FlashSize != 4<<20 || len(e.MAC) != 17 || strings.Count(e.MAC, ":") != 5 ||
		e.SecureBoot || e.Encryption || e.SecureDownload || e.JTAGOff {
		t.Errorf("%+v", e)
	}
	text, _ := show(t, v)
	for _, want := range []string{"port", "emulated", e.MAC, "4.0 MiB", "secure boot", "off"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}
