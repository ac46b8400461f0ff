package c3

import (
	"bytes"
	"crypto/aes"
	gohmac "crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
)

// romCaller calls functions of the mask ROM on a board that does not boot.
type romCaller struct {
	t       *testing.T
	b       *emu.Board
	symbols map[string]uint32
	next    uint32 // free memory
}

const (
	romHeap  = sram1Data + 0x10000
	romStack = sram1Data + 0x50000
	romBack  = sram1Code + 0x58000 // an ebreak
)

func newROMCaller(t *testing.T, cfg emu.Config) *romCaller {
	t.Helper()
	cfg.ROM = maskROM(t, "rev300")
	f, err := elf.NewFile(bytes.NewReader(cfg.ROM))
	if err != nil {
		t.Fatal(err)
	}
	list, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	r := &romCaller{t: t, symbols: map[string]uint32{}, next: romHeap}
	for _, s := range list {
		r.symbols[s.Name] = uint32(s.Value)
	}
	if r.b, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	c := r.b.CPU()
	c.StopOnEbreak = true
	c.Memory().Write(romBack, []byte{0x73, 0x00, 0x10, 0x00})
	return r
}

// put copies p to memory of the board and returns its address.
func (r *romCaller) put(p []byte) uint32 {
	addr := r.next
	r.b.CPU().Memory().Write(addr, p)
	r.next += uint32(len(p)+15) &^ 15
	return addr
}

func (r *romCaller) get(addr uint32, n int) []byte {
	p := make([]byte, n)
	r.b.CPU().Memory().Read(addr, p)
	return p
}

func (r *romCaller) call(name string, args ...uint32) uint32 {
	r.t.Helper()
	c := r.b.CPU()
	addr, ok := r.symbols[name]
	if !ok {
		r.t.Fatalf("the ROM has no %s", name)
	}
	c.SetPC(addr)
	c.SetReg(ra, romBack)
	c.SetReg(sp, romStack)
	for i, v := range args {
		c.SetReg(a0+i, v)
	}
	if res := r.b.Run(r.t.Context(), emu.Limit(200*time.Millisecond)); res.Reason != emu.StopEbreak {
		r.t.Fatalf("%s: stopped by %v at 0x%08x", name, res.Reason, c.PC())
	}
	return c.Reg(a0)
}

// words returns a number as n words, the lowest first.
func words(x *big.Int, n int) []byte {
	p := x.FillBytes(make([]byte, 4*n))
	for i, j := 0, len(p)-1; i < j; i, j = i+1, j-1 {
		p[i], p[j] = p[j], p[i]
	}
	return p
}

// Espressif's drivers in the ROM get from the blocks what Go's cryptography
// computes.
func TestROMCryptography(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	random := func(n int) []byte {
		p := make([]byte, n)
		for i := range p {
			p[i] = byte(rng.Uint32())
		}
		return p
	}
	t.Run("SHA", func(t *testing.T) {
		r := newROMCaller(t, emu.Config{})
		r.call("ets_sha_enable")
		ctx, out := r.put(make([]byte, 512)), r.put(make([]byte, 64))
		for _, n := range []int{0, 1, 55, 56, 63, 64, 65, 119, 128, 1000} {
			msg := random(n)
			s1, s224, s256 := sha1.Sum(msg), sha256.Sum224(msg), sha256.Sum256(msg)
			for kind, want := range [][]byte{s1[:], s224[:], s256[:]} {
				data := r.put(msg)
				r.call("ets_sha_init", ctx, uint32(kind))
				r.call("ets_sha_starts", ctx, 0)
				cut := uint32(n / 3)
				r.call("ets_sha_update", ctx, data, cut, 1)
				r.call("ets_sha_update", ctx, data+cut, uint32(n)-cut, 1)
				r.call("ets_sha_finish", ctx, out)
				if got := r.get(out, len(want)); !bytes.Equal(got, want) {
					t.Errorf("kind %d, %d bytes: %x, want %x", kind, n, got, want)
				}
			}
		}
	})
	t.Run("AES", func(t *testing.T) {
		r := newROMCaller(t, emu.Config{})
		r.call("ets_aes_enable")
		out := r.put(make([]byte, 16))
		for _, k := range []struct {
			bits uint32
			n    int
		}{{0, 16}, {2, 32}} {
			for range 8 {
				key, plain := random(k.n), random(16)
				want := make([]byte, 16)
				block, err := aes.NewCipher(key)
				if err != nil {
					t.Fatal(err)
				}
				block.Encrypt(want, plain)
				at := r.put(key)
				r.call("ets_aes_setkey_enc", at, k.bits)
				r.call("ets_aes_block", r.put(plain), out)
				if got := r.get(out, 16); !bytes.Equal(got, want) {
					t.Errorf("AES-%d: %x, want %x", 8*k.n, got, want)
				}
				r.call("ets_aes_setkey_dec", at, k.bits)
				r.call("ets_aes_block", r.put(want), out)
				if got := r.get(out, 16); !bytes.Equal(got, plain) {
					t.Errorf("AES-%d, inverse: %x, want %x", 8*k.n, got, plain)
				}
			}
		}
	})
	t.Run("RSA", func(t *testing.T) {
		r := newROMCaller(t, emu.Config{})
		r.call("ets_bigint_enable")
		for _, n := range []int{16, 32, 96} {
			number := func() *big.Int { return new(big.Int).SetBytes(random(4 * n)) }
			m := number()
			m.SetBit(m.SetBit(m, 0, 1), 32*n-1, 1)
			x, y := number(), number()
			x.Mod(x, m)
			y.Mod(y, m)
			word := new(big.Int).Lsh(big.NewInt(1), 32)
			dash := new(big.Int).ModInverse(m, word)
			dash.Sub(word, dash)
			rb := new(big.Int).Lsh(big.NewInt(1), uint(64*n))
			rb.Mod(rb, m)
			ax, ay, am, arb := r.put(words(x, n)), r.put(words(y, n)), r.put(words(m, n)), r.put(words(rb, n))
			out := r.put(make([]byte, 8*n))
			check := func(name string, size int, want *big.Int, args ...uint32) {
				t.Helper()
				r.call(name, args...)
				r.call("ets_bigint_wait_finish")
				r.call("ets_bigint_getz", out, uint32(size))
				if got := r.get(out, 4*size); !bytes.Equal(got, words(want, size)) {
					t.Errorf("%s of %d words differs", name, n)
				}
			}
			e := big.NewInt(65537)
			check("ets_bigint_modmult", n, new(big.Int).Mod(new(big.Int).Mul(x, y), m), ax, ay, am, uint32(dash.Uint64()), arb, uint32(n))
			check("ets_bigint_modexp", n, new(big.Int).Exp(x, e, m), ax, r.put(words(e, n)), am, uint32(dash.Uint64()), arb, 0, uint32(n))
			if n <= 48 {
				check("ets_bigint_multiply", 2*n, new(big.Int).Mul(x, y), ax, ay, uint32(n))
			}
		}
	})
	t.Run("HMAC", func(t *testing.T) {
		key := random(efKeyBytes)
		fuses := newTestChip(t, emu.Config{}).board.EFuse()[:efContent]
		const keyNumber = 2
		copy(fuses[efKey0-efRead+32*keyNumber:], key)
		purposes := fuses[efRepeat1+4-efRead:] // KEY_PURPOSE_2 to 5
		binary.LittleEndian.PutUint32(purposes, binary.LittleEndian.Uint32(purposes)|uint32(purposeHMACUp))
		r := newROMCaller(t, emu.Config{EFuse: fuses})
		r.call("ets_hmac_enable")
		out := r.put(make([]byte, 32))
		for _, n := range []int{1, 55, 56, 63, 64, 100, 128, 500} {
			msg := random(n)
			if e := r.call("ets_hmac_calculate_message", efuseFirstKey+keyNumber, r.put(msg), uint32(n), out); e != 0 {
				t.Errorf("%d bytes: error %d", n, e)
			}
			h := gohmac.New(sha256.New, key)
			h.Write(msg)
			if got := r.get(out, 32); !bytes.Equal(got, h.Sum(nil)) {
				t.Errorf("%d bytes: %x, want %x", n, got, h.Sum(nil))
			}
		}
	})
}
