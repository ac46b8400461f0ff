package c3

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/internal/devtest"
)

// espsecure runs Espressif's tool for keys, signatures and encryption.
func espsecure(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(devtest.Tool(t, "espsecure"), args...).CombinedOutput(); err != nil {
		t.Fatalf("espsecure %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func writeFile(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
}

// encrypted encrypts data for flash with espsecure. The key is as in its files:
// in the eFuse its bytes are reversed.
func encrypted(t *testing.T, key, data []byte, addr uint32) []byte {
	t.Helper()
	dir := t.TempDir()
	keyFile, in, out := filepath.Join(dir, "key"), filepath.Join(dir, "in"), filepath.Join(dir, "out")
	writeFile(t, keyFile, key)
	writeFile(t, in, data)
	espsecure(t, "encrypt-flash-data", "--aes-xts", "--keyfile", keyFile, "--address", strconv.Itoa(int(addr)), "--output", out, in)
	return readFile(t, out)
}

// The flash encryption is the one of Espressif's tool, for any part of a unit.
func TestXTSAgainstEspsecure(t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 20))
	key, data := randomBytes(rng, 32), randomBytes(rng, 1024)
	const addr = 0x13000
	want := encrypted(t, key, data, addr)
	x := newXTS([32]byte(reversed(key)))
	got := bytes.Clone(data)
	x.encrypt(got, addr)
	if !bytes.Equal(got, want) {
		t.Fatal("whole units differ")
	}
	for at := 0; at < len(data); at += 48 {
		part := bytes.Clone(data[at:min(at+32, len(data))])
		x.encrypt(part, addr+uint32(at))
		if !bytes.Equal(part, want[at:at+len(part)]) {
			t.Errorf("%d bytes at %d differ", len(part), at)
		}
	}
	x.decrypt(got, addr)
	if !bytes.Equal(got, data) {
		t.Error("decryption does not give the data back")
	}
}

// IEEE 1619 appendix B, vector 4, first 32 bytes: what the reversed order hides
// is plain XTS-AES-128.
func TestXTSVector(t *testing.T) {
	key := slices.Concat(unhex(t, "27182818284590452353602874713526"), unhex(t, "31415926535897932384626433832795"))
	plain := make([]byte, xtsUnit)
	for i := range plain {
		plain[i] = byte(i)
	}
	want := unhex(t, "27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89c")
	got := reversed(plain)
	newXTS([32]byte(reversed(key))).encrypt(got, 0)
	if got = reversed(got); !bytes.Equal(got[:32], want) {
		t.Errorf("% x, want % x", got[:32], want)
	}
}

// setFuses returns the eFuse content of a new chip with words and blocks set.
func setFuses(t *testing.T, words map[uint32]uint32, blocks map[uint32][]byte) []byte {
	t.Helper()
	p := newTestChip(t, emu.Config{}).board.EFuse()
	for reg, v := range words {
		binary.LittleEndian.PutUint32(p[reg-efRead:], le32(p[reg-efRead:])|v)
	}
	for n, b := range blocks {
		start, _ := efuseBlock(n)
		copy(p[start-efRead:], b)
	}
	return p
}

const greeting = "secured guest is running"

// Espressif's ROM, bootloader and an application, encrypted by Espressif's tool,
// boot through the cache; with another key they do not.
func TestBootEncryptedFlash(t *testing.T) {
	plain := app(t, func(a *asm) {
		a.print(greeting + "\n")
		a.halt()
	})
	rng := rand.New(rand.NewPCG(21, 22))
	key := randomBytes(rng, 32)
	used := len(bytes.TrimRight(plain, "\xff"))
	flash := bytes.Clone(plain)
	copy(flash, encrypted(t, key, plain[:(used+4095)&^4095], 0))
	// One bit of SPI_BOOT_CRYPT_CNT, KEY0 for XTS_AES_128.
	words := map[uint32]uint32{efRepeat1: 1<<18 | uint32(purposeXTSAES128)<<24}

	b, con := boot(t, emu.Config{Flash: flash, EFuse: setFuses(t, words, map[uint32][]byte{4: reversed(key)})})
	res := b.Run(t.Context(), emu.UntilText(greeting), emu.Limit(3*time.Second))
	if res.Reason != emu.StopText {
		t.Fatalf("stopped with %v\n%s", res.Reason, con.text(emu.UART0))
	}
	inOrder(t, con.text(emu.UART0), "ESP-ROM:", "2nd stage bootloader", greeting)
	if !bytes.Equal(b.Flash()[:used], flash[:used]) {
		t.Error("booting changed the flash")
	}
	// A snapshot in the middle of it goes on.
	again, con2 := boot(t, emu.Config{Flash: flash, EFuse: setFuses(t, words, map[uint32][]byte{4: reversed(key)})})
	again.Run(t.Context(), emu.Limit(res.Elapsed/2))
	half := len(con2.text(emu.UART0))
	snapshot := again.Snapshot()
	again.Run(t.Context(), emu.Limit(res.Elapsed/4))
	if err := again.Restore(snapshot); err != nil {
		t.Fatal(err)
	}
	if r := again.Run(t.Context(), emu.UntilText(greeting), emu.Limit(3*time.Second)); r.Trace != res.Trace || half == 0 {
		t.Errorf("a restored board goes another way: %v", r.Reason)
	}

	key[5] ^= 1
	b, con = boot(t, emu.Config{Flash: flash, EFuse: setFuses(t, words, map[uint32][]byte{4: reversed(key)})})
	if res := b.Run(t.Context(), emu.UntilText(greeting), emu.Limit(time.Second)); res.Reason == emu.StopText {
		t.Error("the wrong key boots")
	}
	inOrder(t, con.text(emu.UART0), "ESP-ROM:", "invalid header")
}

// The ROM checks the bootloader's signature with the RSA and SHA blocks: it
// starts what Espressif's tool has signed, and refuses a changed image and one
// that is not signed.
func TestSecureBoot(t *testing.T) {
	devtest.Long(t, "signs images with espsecure")
	dir := t.TempDir()
	keyFile, in, out, digest := filepath.Join(dir, "key.pem"), filepath.Join(dir, "in"), filepath.Join(dir, "out"), filepath.Join(dir, "digest")
	espsecure(t, "generate-signing-key", "--version", "2", "--scheme", "rsa3072", keyFile)
	espsecure(t, "digest-sbv2-public-key", "--keyfile", keyFile, "--output", digest)
	flash := app(t, func(a *asm) {
		a.print(greeting + "\n")
		a.halt()
	})
	writeFile(t, in, bytes.TrimRight(flash[:0x8000], "\xff"))
	espsecure(t, "sign-data", "--version", "2", "--keyfile", keyFile, "--output", out, in)
	signed := readFile(t, out)
	const secureBootDigest0 = 9
	fuses := setFuses(t,
		map[uint32]uint32{efRepeat1: secureBootDigest0 << 28, efRepeat1 + 4: 1 << 20}, // KEY_PURPOSE_1, SECURE_BOOT_EN
		map[uint32][]byte{5: readFile(t, digest)})
	for _, k := range []struct {
		name       string
		bootloader []byte
		damage     int
		want       string
	}{
		{"signed", signed, -1, greeting},
		{"changed", signed, 0x1000, "secure boot verification failed"},
		{"signature changed", signed, len(signed) - 4096 + 900, "secure boot verification failed"},
		{"not signed", readFile(t, in), -1, "secure boot verification failed"},
	} {
		t.Run(k.name, func(t *testing.T) {
			f := bytes.Clone(flash)
			fill(f[:0x8000], 0xff)
			copy(f, k.bootloader)
			if k.damage >= 0 {
				f[k.damage] ^= 0x10
			}
			b, con := boot(t, emu.Config{Flash: f, EFuse: fuses})
			b.Run(t.Context(), emu.UntilText(greeting), emu.Limit(3*time.Second))
			if text := con.text(emu.UART0); !strings.Contains(text, k.want) || strings.Contains(text, greeting) != (k.want == greeting) {
				t.Errorf("wrote\n%s", text[:min(len(text), 2000)])
			}
		})
	}
}
