package c3

import (
	"bytes"
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/internal/devtest"
)

// Espressif's tool burns a key through the ROM's loader: the check bytes that it
// computes are right for the block, the key cannot be read any more, hardware
// sees it, and the tool finds no coding error afterwards.
func TestEspefuseBurnsKey(t *testing.T) {
	devtest.Long(t, "runs espefuse")
	espefuse := devtest.Tool(t, "espefuse")
	key := bytes.Repeat([]byte{0x11, 0x22, 0x44, 0x88}, 8)
	key[0] = 0xee
	keyFile := filepath.Join(t.TempDir(), "key")
	writeFile(t, keyFile, key)
	fuses := []byte(nil)
	run := func(args ...string) (*emu.Board, []byte) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		args = append([]string{"--chip", "esp32c3", "--port", "socket://" + l.Addr().String(), "--before", "no-reset", "--do-not-confirm"}, args...)
		cmd := exec.CommandContext(ctx, espefuse, args...)
		done := make(chan error, 1)
		var out []byte
		go func() {
			var err error
			out, err = cmd.CombinedOutput()
			l.Close() // if it never connected
			done <- err
		}()
		b := serve(t, l, emu.Config{Strap: emu.StrapDownload, EFuse: fuses}, emu.UART0)
		if err := <-done; err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return b, out
	}
	b, out := run("burn-key", "BLOCK_KEY2", keyFile, "HMAC_UP")
	if !bytes.Contains(out, []byte("Successful")) {
		t.Errorf("espefuse said:\n%s", out)
	}
	fuses = b.EFuse()
	if len(fuses) != efContent {
		t.Error("the check bytes are not those of the content")
	}
	c := newTestChip(t, emu.Config{EFuse: fuses})
	if got := c.efuse.key(2); !bytes.Equal(got[:], key) || c.efuse.purpose(2) != purposeHMACUp {
		t.Errorf("hardware sees % x for purpose %d", got, c.efuse.purpose(2))
	}
	c.want(efuseBase+efKey0+64, 0)
	c.want(efuseBase+efRSErr0, 0)
	c.want(efuseBase+efRSErr1, 0)
	if _, out = run("summary"); !bytes.Contains(out, []byte("HMAC_UP")) {
		t.Errorf("espefuse says:\n%s", out)
	}
}
