package c3

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/elftest"
)

// serve connects a serial port of a board to the first connection of a
// listener, until the connection ends.
func serve(t *testing.T, l net.Listener, cfg emu.Config, port emu.Stream) *emu.Board {
	t.Helper()
	var conn net.Conn
	cfg.Output = func(o emu.Output) {
		if o.Stream == port && conn != nil {
			conn.Write(o.Data)
		}
	}
	b, _ := boot(t, cfg)
	if res := b.Run(t.Context(), emu.UntilText("waiting for download"), emu.Limit(time.Second)); res.Reason != emu.StopText {
		t.Fatalf("the ROM does not wait: %v", res.Reason)
	}
	var err error
	if conn, err = l.Accept(); err != nil {
		t.Error(err)
		return b
	}
	defer conn.Close()
	in := make(chan []byte)
	go func() {
		defer close(in)
		for {
			p := make([]byte, 4096)
			n, err := conn.Read(p)
			if err != nil {
				return
			}
			in <- p[:n]
		}
	}()
	for {
		select {
		case p, ok := <-in:
			if !ok {
				return b
			}
			b.Send(port, p)
		default:
		}
		b.Run(t.Context(), emu.Limit(2*time.Millisecond))
	}
}

// The real esptool writes flash through the real ROM, with and without its
// stub, on both ports.
func TestEsptoolWritesFlash(t *testing.T) {
	devtest.Long(t, "runs esptool")
	esptool := devtest.Tool(t, "esptool")
	content := elftest.Fill(30_000, 42)
	file := filepath.Join(t.TempDir(), "content.bin")
	if err := os.WriteFile(file, content, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		name string
		port emu.Stream
		stub []string
	}{
		{"ROM over USB", emu.USB, []string{"--no-stub"}},
		{"ROM over UART", emu.UART0, []string{"--no-stub"}},
		{"stub over USB", emu.USB, nil},
		{"stub over UART", emu.UART0, nil},
	} {
		t.Run(k.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			args := append([]string{"--chip", "esp32c3", "--port", "socket://" + l.Addr().String(), "--before", "no-reset", "--after", "no-reset"}, k.stub...)
			cmd := exec.CommandContext(ctx, esptool, append(args, "write-flash", "0x20000", file)...)
			done := make(chan error, 1)
			var out []byte
			go func() {
				var err error
				out, err = cmd.CombinedOutput()
				l.Close() // if it never connected
				done <- err
			}()
			b := serve(t, l, emu.Config{Strap: emu.StrapDownload, USBHost: k.port == emu.USB}, k.port)
			if err := <-done; err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if !bytes.Contains(out, []byte("Hash of data verified")) || !bytes.Contains(out, []byte("ESP32-C3 (QFN32) (revision v0.4)")) {
				t.Errorf("esptool said:\n%s", out)
			}
			if !bytes.Equal(b.Flash()[0x20000:][:len(content)], content) {
				t.Error("the flash holds something else")
			}
		})
	}
}
