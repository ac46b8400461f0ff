package cli

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/devtest/mini"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/store"
)

// TestObstacle25Bootloader: the bootloader of an image is the one that the lock
// names, whatever this version of the program would pin today.
func TestObstacle25Bootloader(t *testing.T) {
	dir, env := miniProject(t)
	st, err := store.Open(t.Context(), devtest.Store(t))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	name := filepath.Join(dir, lock.FileName)
	pins, err := lock.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	today, _ := pins.Blob("bootloader")
	other, ok := pins.Blob("bootloader-qio")
	if !ok {
		t.Fatal("no second bootloader to lock")
	}
	var boots [][]byte
	for _, locked := range []lock.Blob{today, other} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		mini.Edit(t, dir, lock.FileName, "name = \"bootloader\"\ndigest = \""+today.Digest.String()+"\"\nfrom = \""+today.From, "name = \"bootloader\"\ndigest = \""+locked.Digest.String()+"\"\nfrom = \""+locked.From)
		if out, err := espalier(t, env, "-C", dir, "build", "--locked", "--offline").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		bin, err := os.ReadFile(filepath.Join(dir, "target", "espalier", "app.bin"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := st.Get(t.Context(), locked.Digest)
		if err != nil {
			t.Fatal(err)
		}
		want, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		img, err := image.Parse(bin)
		if err != nil || img.Kind() != "bootloader image" {
			t.Fatalf("%s, %v", img.Kind(), err)
		}
		// All but the header with the flash's parameters, and the digest of it.
		const header, digest = 24, 32
		if img.Size != len(want) || !bytes.Equal(bin[header:img.Size-digest], want[header:img.Size-digest]) {
			t.Errorf("the image does not begin with the locked %s", locked.From)
		}
		boots = append(boots, bin[header:img.Size-digest])
		if err := os.WriteFile(name, text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if bytes.Equal(boots[0], boots[1]) {
		t.Error("the lock does not decide")
	}
}

// TestObstacle43DescriptorDate: the date in the application descriptor of a built
// firmware is the date of its lock.
func TestObstacle43DescriptorDate(t *testing.T) {
	pins, err := lock.Read(filepath.Join(devtest.Store(t), "projects", "hello", lock.FileName))
	if err != nil {
		devtest.Missing(t, "projects/hello in the test store (scripts/firmware)")
	}
	bin, err := os.ReadFile(strings.TrimSuffix(testFirmware(t, "hello.elf"), ".elf") + ".bin")
	if err != nil {
		t.Fatal(err)
	}
	c, err := image.ParseFlash(bin)
	if err != nil {
		t.Fatal(err)
	}
	d := c.Apps[0].Image.Descriptor
	if want := time.Unix(pins.Project.SourceDateEpoch, 0).UTC().Format("2006-01-02 15:04:05"); d == nil || d.Date+" "+d.Time != want {
		t.Errorf("descriptor %+v, the lock has %s", d, want)
	}
}
