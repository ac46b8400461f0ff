package probe

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"espalier.dev/espalier/emu/semihost"
	"espalier.dev/espalier/rv32"
)

// caller makes semihosting calls on a CPU.
type caller struct {
	t   *testing.T
	cpu *rv32.CPU
}

const (
	code, data     = 0x1000, 0x2000
	opOpen         = 0x01
	opClose        = 0x02
	opWrite        = 0x05
	opRead         = 0x06
	opSeek         = 0x0a
	opLen          = 0x0c
	opRemove       = 0x0e
	opRename       = 0x0f
	opErrno        = 0x13
	modeR, modeW   = 0, 4
	modeRW, modeA  = 2, 8
	none           = ^uint32(0)
	errnoMissing   = 2
	errnoForbidden = 13
)

func newCaller(t *testing.T, files semihost.Files) *caller {
	c := &caller{t, rv32.New(rv32.Config{})}
	c.cpu.Memory().Map(code, rv32.NewBank(16<<10), 0, 16<<10, rv32.Read|rv32.Write|rv32.Exec)
	h := &semihost.Host{Files: files}
	h.Attach(c.cpu)
	t.Cleanup(h.Close)
	c.words(code, 0x01f01013, 0x00100073, 0x40705013, 0x0000006f)
	return c
}

func (c *caller) words(addr uint32, words ...uint32) {
	for i, w := range words {
		c.cpu.Memory().Write(addr+4*uint32(i), binary.LittleEndian.AppendUint32(nil, w))
	}
}

func (c *caller) call(op uint32, block ...uint32) uint32 {
	c.words(data, block...)
	c.cpu.SetPC(code)
	c.cpu.SetReg(10, op)
	c.cpu.SetReg(11, data)
	c.cpu.Run(c.cpu.Cycles() + 3)
	return c.cpu.Reg(10)
}

// text puts a text in memory and returns its address and length.
func (c *caller) text(at uint32, s string) (addr, n uint32) {
	c.cpu.Memory().Write(data+at, []byte(s))
	return data + at, uint32(len(s))
}

func (c *caller) open(name string, mode uint32) uint32 {
	at, n := c.text(0x100, name)
	return c.call(opOpen, at, mode, n)
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	c := newCaller(t, Dir{root})
	f := c.open("log.txt", modeW)
	at, n := c.text(0x400, "one two")
	if f == none || c.call(opWrite, f, at, n) != 0 || c.call(opClose, f) != 0 {
		t.Fatal("not written")
	}
	if f = c.open("log.txt", modeA); c.call(opWrite, f, at, 3) != 0 || c.call(opClose, f) != 0 {
		t.Fatal("not appended")
	}
	if b, err := os.ReadFile(filepath.Join(dir, "log.txt")); err != nil || string(b) != "one twoone" {
		t.Errorf("%q, %v", b, err)
	}
	if f = c.open("log.txt", modeR); c.call(opLen, f) != 10 || c.call(opSeek, f, 4) != 0 {
		t.Error("neither length nor position")
	}
	if left := c.call(opRead, f, data+0x800, 100); left != 94 {
		t.Errorf("%d bytes were not read", left)
	}
	got := make([]byte, 6)
	if c.cpu.Memory().Read(data+0x800, got); string(got) != "twoone" {
		t.Errorf("read %q", got)
	}
	if c.call(opWrite, f, at, 3) != 3 {
		t.Error("a file that was opened for reading takes bytes")
	}
	a, an := c.text(0x100, "log.txt")
	b, bn := c.text(0x200, "old.txt")
	if c.call(opRename, a, an, b, bn) != 0 || c.open("log.txt", modeR) != none || c.call(opErrno) != errnoMissing {
		t.Error("not renamed")
	}
	if b, bn = c.text(0x200, "old.txt"); c.call(opRemove, b, bn) != 0 {
		t.Error("not removed")
	}
	for range 40 { // more handles than there are
		c.open("many", modeW)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	if without := newCaller(t, nil); without.open("many", modeR) != none {
		t.Error("a file is reached without a folder")
	}
}

// Names that lead out of the folder, and what is not a regular file, are refused.
func TestFilesOutside(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "in")
	secret := filepath.Join(top, "secret")
	for _, err := range []error{os.Mkdir(dir, 0o777), os.Mkdir(filepath.Join(dir, "sub"), 0o777), os.WriteFile(secret, []byte("secret"), 0o666)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	names := []string{"../secret", "sub/../../secret", secret, "..", ".", "", "sub", "a\x00b", strings.Repeat("a/", 3000)}
	if runtime.GOOS != "windows" {
		for link, to := range map[string]string{"link": "../secret", "absolute": secret, "folder": ".."} {
			if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
				t.Fatal(err)
			}
		}
		names = append(names, "link", "absolute", "folder/secret")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	c := newCaller(t, Dir{root})
	for _, name := range names {
		for _, mode := range []uint32{modeR, modeW, modeRW, modeA} {
			if f := c.open(name, mode); f != none {
				t.Errorf("%.40q is opened with mode %d", name, mode)
			}
		}
		a, an := c.text(0x100, name)
		b, bn := c.text(0x200, "stolen")
		if name != "link" && name != "absolute" && c.call(opRename, a, an, b, bn) == 0 && name != "sub" {
			t.Errorf("%.40q is renamed", name)
		}
		if name == "sub" && c.call(opRemove, a, an) == 0 {
			t.Errorf("%.40q is removed", name)
		}
	}
	if b, err := os.ReadFile(secret); err != nil || string(b) != "secret" {
		t.Errorf("%q, %v", b, err)
	}
}
