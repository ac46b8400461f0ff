package emuport_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/emuport"
	"espalier.dev/espalier/serial"
)

// noisyBoard is a board whose flash begins with noise, so that its ROM prints and
// resets forever; it has done so for a second.
func noisyBoard(t *testing.T, pace float64) *emuport.Port {
	t.Helper()
	rom, err := os.ReadFile(filepath.Join(devtest.Peers(t), "espflash", "resources", "roms", "esp32c3_rev300_rom.elf"))
	if err != nil {
		devtest.Missing(t, "the mask ROM in the resources of the espflash crate 4.7.0")
	}
	flash := bytes.Repeat([]byte{0xff}, 4<<20)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 50_000 {
		flash[i] = byte(rng.Uint32())
	}
	p, err := emuport.New(emu.Config{ROM: rom, Flash: flash}, emuport.Options{Pace: pace})
	if err != nil {
		t.Fatal(err)
	}
	p.Do(func(b *emu.Board) { b.Run(t.Context(), emu.Limit(time.Second)) })
	return p
}

// A flasher reaches a chip that is stuck in a boot loop as fast as any other: by
// the first try of its reset sequence.
func TestLoaderReachesBootLoop(t *testing.T) {
	p := noisyBoard(t, 0)
	start := p.Now()
	if _, err := loader.Connect(t.Context(), p, loader.Options{}); err != nil {
		t.Fatal(err)
	}
	if took := p.Now() - start; took > 2*time.Second {
		t.Errorf("connected after %v", took)
	}
}

// And so does esptool, over RFC 2217.
func TestEsptoolReachesBootLoop(t *testing.T) {
	devtest.Long(t, "runs esptool in real time")
	esptool := devtest.Tool(t, "esptool")
	p := noisyBoard(t, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- (&serial.Server{Port: p, RFC2217: true}).Serve(ctx, l) }()
	run, stop := context.WithTimeout(ctx, 2*time.Minute)
	defer stop()
	out, err := exec.CommandContext(run, esptool, "--chip", "esp32c3", "--port", "rfc2217://"+l.Addr().String()+"?ign_set_control",
		"--connect-attempts", "2", "--no-stub", "chip-id").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("ESP32-C3 (QFN32)")) {
		t.Errorf("%v\n%s", err, out)
	}
	cancel()
	<-served
}
