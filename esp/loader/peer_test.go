package loader

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/elftest"
	"espalier.dev/espalier/internal/emuport"
	"espalier.dev/espalier/serial"
)

// sharedChip is an emulated chip whose port other programs use.
type sharedChip struct {
	*emuport.Port
	addr string // as espalier writes it
	stop func()
}

// shareChip serves a chip in real time, or some times that, by rfc2217, tcp or pty.
func shareChip(t *testing.T, how string, strap emu.Strap, stream emu.Stream, pace float64) *sharedChip {
	t.Helper()
	p := board(t, emu.Config{Strap: strap}, emuport.Options{Stream: stream, Pace: pace, NoLines: how != "rfc2217", AnyBaud: how == "tcp"})
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	l := &sharedChip{Port: p}
	if how == "pty" {
		pty, err := serial.OpenPTY("")
		if err != nil {
			t.Fatal(err)
		}
		l.addr = pty.Path()
		all.Go(func() { _ = serial.ServePTY(ctx, pty, p) })
		l.stop = func() { cancel(); all.Wait(); pty.Close() }
	} else {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.addr = how + "://" + listener.Addr().String()
		s := serial.Server{Port: p, RFC2217: how == "rfc2217"}
		all.Go(func() { _ = s.Serve(ctx, listener) })
		l.stop = func() { cancel(); all.Wait() }
	}
	t.Cleanup(l.stop)
	return l
}

// bootsNow takes the chip back from its server and lets it boot.
func (l *sharedChip) bootsNow(t *testing.T) {
	t.Helper()
	l.stop()
	l.Reopen()
	p := l.Port
	p.Do(func(b *emu.Board) { b.SetEnable(emu.Low); b.SetEnable(emu.High) })
	boots(t, p)
}

// run starts a peer and waits for it.
func run(t *testing.T, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "ESPFLASH_SKIP_UPDATE_CHECK=true", "CI=true")
	start := time.Now()
	out, err := cmd.CombinedOutput()
	// espflash without its stub ends with FLASH_END 1, "run user code", and the
	// ROM answers that with an error; everything is written then.
	if err != nil && !bytes.Contains(out, []byte("Error while running FlashEnd command")) {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, out)
	}
	t.Logf("%s in %v", filepath.Base(program), time.Since(start).Round(time.Millisecond))
}

// espflash runs the real espflash on a pseudo-terminal. It accepts only ports
// that sysfs lists, so it is given a mount namespace in which sysfs lists one.
func espflash(t *testing.T, pty string, args ...string) {
	t.Helper()
	program := devtest.Tool(t, "espflash")
	const script = `set -e
mount -t tmpfs none /sys/class/tty
mkdir -p /sys/class/tty/pnp /sys/class/tty/full/device
ln -s ../../pnp /sys/class/tty/full/device/subsystem
mount --bind "$0" /dev/full
exec "$@"`
	unshare := []string{"--mount", "--user", "--map-root-user", "bash", "-c"}
	if out, err := exec.Command("unshare", append(unshare, "mount -t tmpfs none /sys/class/tty")...).CombinedOutput(); err != nil {
		devtest.Missing(t, fmt.Sprintf("unshare with mounts for espflash (%v: %s)", err, out))
	}
	run(t, "unshare", append(append(unshare, script, pty, program), args...)...)
}

// Proof 2 of the flasher, one way: what the real esptool and espflash write
// through our server into the chip boots, and espalier reads it back.
func TestPeersWrite(t *testing.T) {
	devtest.Long(t, "runs esptool and espflash")
	elf := elftest.Hello().Bytes()
	img := firmware(t, elf)
	dir := t.TempDir()
	elfFile := filepath.Join(dir, "hello.elf")
	if err := os.WriteFile(elfFile, elf, 0o666); err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, p := range img.Parts {
		f := filepath.Join(dir, p.Name)
		if err := os.WriteFile(f, p.Bytes, 0o666); err != nil {
			t.Fatal(err)
		}
		files = append(files, fmt.Sprintf("0x%x", p.Offset), f)
	}
	esptool := func(how string, strap emu.Strap, stream emu.Stream, args ...string) func(*testing.T) *sharedChip {
		return func(t *testing.T) *sharedChip {
			tool := devtest.Tool(t, "esptool")
			l := shareChip(t, how, strap, stream, 4)
			addr := strings.Replace(l.addr, "tcp://", "socket://", 1)
			args := append([]string{"--chip", "esp32c3", "--port", addr}, args...)
			run(t, tool, append(append(args, "write-flash"), files...)...)
			return l
		}
	}
	flash := func(args ...string) func(*testing.T) *sharedChip {
		return func(t *testing.T) *sharedChip {
			l := shareChip(t, "pty", emu.StrapDownload, emu.UART0, 4)
			espflash(t, l.addr, append([]string{"flash", "--port", "/dev/full", "--before", "no-reset", "--after", "no-reset", "--non-interactive", "--chip", "esp32c3", elfFile}, args...)...)
			return l
		}
	}
	for _, tc := range []struct {
		name  string
		write func(*testing.T) *sharedChip
	}{
		{"esptool, ROM, TCP", esptool("tcp", emu.StrapDownload, emu.UART0, "--before", "no-reset", "--after", "no-reset", "--no-stub")},
		{"esptool, stub, TCP", esptool("tcp", emu.StrapDownload, emu.UART0, "--before", "no-reset", "--after", "no-reset")},
		{"esptool, stub, RFC 2217 with its own resets", esptool("rfc2217", emu.StrapFlash, emu.UART0)},
		{"esptool, stub, PTY at 460800", esptool("pty", emu.StrapDownload, emu.UART0, "--before", "no-reset", "--after", "no-reset", "--baud", "460800")},
		{"espflash, ROM, PTY", flash("--no-stub")},
		{"espflash, stub, PTY at 460800", flash("--baud", "460800")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := tc.write(t)
			l.stop()
			l.Reopen()
			want := img.Trimmed()
			p := board(t, emu.Config{Flash: contents(l.Port)}, emuport.Options{}) // the same flash on a board with lines, without pace
			chip := connect(t, p, Options{Baud: 921600, Stub: stub(t)})
			have, err := chip.Read(t.Context(), 0, uint32(len(want)), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range img.Parts {
				if !bytes.Equal(have[part.Offset:][:len(part.Bytes)], part.Bytes) {
					t.Errorf("%s reads back differently", part.Name)
				}
			}
			if err := chip.Leave(t.Context(), HardReset); err != nil {
				t.Fatal(err)
			}
			boots(t, p)
		})
	}
}

// The other way: what espalier writes, over every transport, the real esptool
// and espflash read.
func TestPeersRead(t *testing.T) {
	devtest.Long(t, "runs esptool and espflash")
	img := hello(t)
	want := img.Parts[2]
	for _, tc := range []struct {
		how    string
		strap  emu.Strap
		stream emu.Stream
	}{
		{"tcp", emu.StrapDownload, emu.UART0},
		{"rfc2217", emu.StrapFlash, emu.UART0},
		{"rfc2217", emu.StrapFlash, emu.USB},
		{"pty", emu.StrapDownload, emu.UART0},
	} {
		t.Run(tc.how+" "+tc.stream.String(), func(t *testing.T) {
			l := shareChip(t, tc.how, tc.strap, tc.stream, 4)
			p, err := serial.Open(t.Context(), l.addr, serial.Options{})
			if err != nil {
				t.Fatal(err)
			}
			chip := connect(t, p, Options{Stub: stub(t)})
			if _, err := chip.Write(t.Context(), parts(img), WriteOptions{}); err != nil {
				t.Fatal(err)
			}
			p.Close()
			file := filepath.Join(t.TempDir(), "read")
			at, size := fmt.Sprintf("0x%x", want.Offset), fmt.Sprintf("0x%x", len(want.Bytes))
			if tc.how == "pty" {
				espflash(t, l.addr, "read-flash", "--port", "/dev/full", "--before", "no-reset", "--after", "no-reset", "--non-interactive", "--chip", "esp32c3", at, size, file)
			} else {
				addr := strings.Replace(l.addr, "tcp://", "socket://", 1)
				run(t, devtest.Tool(t, "esptool"), "--chip", "esp32c3", "--port", addr, "--before", "no-reset", "--after", "no-reset", "read-flash", at, size, file)
			}
			have, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(have, want.Bytes) {
				t.Error("the peer reads something else")
			}
			l.bootsNow(t)
		})
	}
}
