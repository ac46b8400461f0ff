package serial

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A pseudo-terminal is the device of a machine without ports: everything but
// modem lines.
func TestDevice(t *testing.T) {
	link := filepath.Join(t.TempDir(), "board")
	pty, err := OpenPTY(link)
	if err != nil {
		t.Skipf("needs pseudo-terminals: %v", err)
	}
	defer pty.Close()
	p, err := Open(t.Context(), link, Options{Baud: 460800})
	if err != nil {
		t.Fatal(err)
	}
	if pty.Baud() != 460800 {
		t.Errorf("opened at %d baud", pty.Baud())
	}
	if err := p.SetBaud(t.Context(), 74880); err != nil || pty.Baud() != 74880 {
		t.Errorf("%v, %d baud", err, pty.Baud())
	}
	if err := p.SetLines(t.Context(), true, true); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("lines of a pseudo-terminal: %v", err)
	}
	sent := awkward()
	if err := p.Write(t.Context(), sent); err != nil {
		t.Fatal(err)
	}
	var got []byte
	buf := make([]byte, 1000)
	for len(got) < len(sent) {
		n, err := pty.Read(t.Context(), buf, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, buf[:n]...)
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("%q arrives as %q", sent, got)
	}
	if _, err := p.Read(t.Context(), buf, 2*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("silence: %v", err)
	}
	_, err = Open(t.Context(), link, Options{})
	var busy *OpenError
	if !errors.As(err, &busy) || busy.Reason != Busy || !strings.Contains(err.Error(), "in use by this process") {
		t.Errorf("opened twice: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(5*time.Millisecond, cancel)
	if _, err := p.Read(ctx, buf, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	p.Close()
	if p, err = Open(t.Context(), link, Options{}); err != nil {
		t.Fatalf("opened again: %v", err)
	}
	pty.Close() // the plug is pulled
	var gone *GoneError
	if _, err := p.Read(t.Context(), buf, 5*time.Second); !errors.As(err, &gone) {
		t.Errorf("unplugged: %v", err)
	}
	p.Close()
	if _, err := os.Lstat(link); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the link stays: %v", err)
	}
}

// At a pseudo-terminal of ServePTY the lines work all the same.
func TestLinesOfPTY(t *testing.T) {
	pty, err := OpenPTY("")
	if err != nil {
		t.Skipf("needs pseudo-terminals: %v", err)
	}
	w := newWire()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- ServePTY(ctx, pty, w) }()
	p, err := Open(t.Context(), pty.Path(), Options{Baud: 74880})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range [][2]bool{{true, true}, {false, true}, {true, false}} {
		if err := p.SetLines(t.Context(), s[0], s[1]); err != nil {
			t.Fatal(err)
		}
	}
	if pty.Baud() != 74880 {
		t.Errorf("%d baud afterwards", pty.Baud())
	}
	echo(t, p, awkward())
	p.Close()
	cancel()
	<-done
	pty.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := strings.Join(w.record, ", "); !strings.Contains(got, "dtr true rts true, dtr false rts true, dtr true rts false") {
		t.Errorf("the port saw %s", got)
	}
}

// A port that comes back under its name is opened again.
func TestReopen(t *testing.T) {
	link := filepath.Join(t.TempDir(), "board")
	first, err := OpenPTY(link)
	if err != nil {
		t.Skipf("needs pseudo-terminals: %v", err)
	}
	p, err := Open(t.Context(), link, Options{})
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	p.Close()
	if _, err := Reopen(t.Context(), p.Info(), Options{}, 0); err == nil {
		t.Error("opened a device that does not exist")
	}
	ready := make(chan *PTY)
	time.AfterFunc(20*time.Millisecond, func() {
		second, err := OpenPTY(link)
		if err != nil {
			t.Error(err)
		}
		ready <- second
	})
	p, err = Reopen(t.Context(), p.Info(), Options{}, 10*time.Second)
	if second := <-ready; second != nil {
		defer second.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
}

// sysfs with an Espressif device, a bridge, a mainboard UART that exists, one
// that does not, and a virtual terminal.
func TestList(t *testing.T) {
	dir := t.TempDir()
	class, dev := filepath.Join(dir, "class"), filepath.Join(dir, "dev")
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	link := func(tty, to string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(class, tty), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(dir, to), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(dir, to), filepath.Join(class, tty, "device")); err != nil {
			t.Fatal(err)
		}
	}
	for f, text := range map[string]string{"idVendor": "303a", "idProduct": "1001", "serial": "34:85:18:00:00:01", "manufacturer": "Espressif", "product": "USB JTAG/serial debug unit"} {
		write("usb/1-1/"+f, text)
	}
	link("ttyACM0", "usb/1-1/1-1:1.0")
	for f, text := range map[string]string{"idVendor": "10c4", "idProduct": "ea60"} {
		write("usb/1-2/"+f, text)
	}
	link("ttyUSB0", "usb/1-2/1-2:1.0/ttyUSB0")
	link("ttyS0", "pnp/0")
	link("ttyS1", "pnp/1")
	write("class/ttyS1/type", "0")
	write("class/tty1/dev", "4:1")
	for _, n := range []string{"ttyACM0", "ttyUSB0", "ttyS0", "ttyS1", "tty1"} {
		write("dev/"+n, "")
	}
	list, err := listBelow(class, dev)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]Info{}
	for _, i := range list {
		found[filepath.Base(i.Name)] = i
	}
	if len(found) != 3 {
		t.Errorf("found %v", list)
	}
	if i := found["ttyACM0"]; i.Kind != USBJTAG || !i.Likely() || i.Serial != "34:85:18:00:00:01" || i.Chip == "" {
		t.Errorf("%+v", i)
	}
	if i := found["ttyUSB0"]; i.Kind != Bridge || !i.Likely() || i.Product != "Silicon Labs CP210x" {
		t.Errorf("%+v", i)
	}
	if i := found["ttyS0"]; i.Kind != Unknown || i.Likely() {
		t.Errorf("%+v", i)
	}
}
