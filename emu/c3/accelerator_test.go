package c3

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"espalier.dev/espalier/emu"
)

// The accelerator hashes what the standard library hashes, fed as a driver
// does: padded, block by block.
func TestSHA(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	const base = 0x6003b000
	rng := rand.New(rand.NewPCG(5, 6))
	for range 60 {
		msg := make([]byte, rng.IntN(300))
		for i := range msg {
			msg[i] = byte(rng.Uint32())
		}
		s1, s224, s256 := sha1.Sum(msg), sha256.Sum224(msg), sha256.Sum256(msg)
		for mode, want := range [][]byte{s1[:], s224[:], s256[:]} {
			padded := append(bytes.Clone(msg), 0x80)
			for len(padded)%64 != 56 {
				padded = append(padded, 0)
			}
			padded = binary.BigEndian.AppendUint64(padded, uint64(len(msg))*8)
			c.w(base+shaMode, uint32(mode))
			for at := 0; at < len(padded); at += 64 {
				for i := range uint32(16) {
					c.w(base+shaM+4*i, le32(padded[at+4*int(i):]))
				}
				if at == 0 {
					c.w(base+shaStart, 1)
				} else {
					c.w(base+shaContinue, 1)
				}
				c.want(base+shaBusy, 0)
			}
			var got []byte
			for i := range uint32(len(want) / 4) {
				got = binary.LittleEndian.AppendUint32(got, c.r(base+shaH+4*i))
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("mode %d of %d bytes: % x, want % x", mode, len(msg), got, want)
			}
		}
	}
}

const efuseBase = 0x60008800

func (c *testChip) efuse1(op, cmd uint32) {
	c.w(efuseBase+efConf, op)
	c.w(efuseBase+efCmd, cmd)
	c.run(efOperation + emu.Microsecond)
	c.want(efuseBase+efCmd, 0)
}

// burn programs a block with its check bytes, as drivers do it.
func (c *testChip) burn(blk uint32, data ...uint32) {
	var p [rsData]byte
	for i, v := range data {
		binary.LittleEndian.PutUint32(p[4*i:], v)
	}
	check := c.efuse.rs.encode(&p)
	c.storeBytes(efuseBase+efPgmData, p[:])
	c.storeBytes(efuseBase+efPgmCheck, check[:])
	c.efuse1(efOpWrite, 2|blk<<2)
}

func TestEFuse(t *testing.T) {
	c := newTestChip(t, emu.Config{MAC: [6]byte{0x7c, 0xdf, 0xa1, 0x11, 0x22, 0x33}})
	c.want(efuseBase+0x44, 0xa1112233)
	c.want(efuseBase+0x48, 0x7cdf)

	const usr = efuseBase + 0x7c // block 3
	c.burn(3, 0x0f)
	c.want(usr, 0) // shows only after a read
	c.efuse1(efOpRead, 1)
	c.want(usr, 0x0f)
	c.want(efuseBase+efIntRaw, 3)
	c.w(efuseBase+efIntClr, 3)
	c.want(efuseBase+efIntRaw, 0)

	c.w(efuseBase+efConf, 0x1234) // wrong opcode
	c.w(efuseBase+efCmd, 2|3<<2)
	c.want(efuseBase+efCmd, 0)

	burn := func(blk, v uint32) { c.burn(blk, v) }
	burn(0, 1<<22) // WR_DIS for block 3
	burn(3, 1<<31)
	c.efuse1(efOpRead, 1)
	c.want(usr, 0x0f)

	burn(4, 0xcafe) // KEY0
	c.efuse1(efOpRead, 1)
	c.want(efuseBase+efKey0, 0xcafe)
	c.burn(0, 0, 1) // RD_DIS of KEY0
	c.efuse1(efOpRead, 1)
	c.want(efuseBase+efKey0, 0)
	if k := c.efuse.key(0); le32(k[:]) != 0xcafe {
		t.Errorf("hardware reads % x of a protected key", k)
	}

	// The content goes on to another board.
	other := newTestChip(t, emu.Config{EFuse: c.board.EFuse()})
	other.want(usr, 0x0f)
	other.want(efuseBase+0x44, 0xa1112233)

	// Bits of block 0 that WR_DIS protects stay: KEY_PURPOSE_0 here.
	c.burn(0, 1<<8)
	c.burn(0, 0, 0, 0xf<<24|1<<18)
	c.efuse1(efOpRead, 1)
	c.want(efuseBase+efRepeat1, 1<<18)
	if !c.efuse.flashEncrypted() {
		t.Error("one bit of SPI_BOOT_CRYPT_CNT does not mean encryption")
	}

	_, err := New(emu.Config{ROM: make([]byte, romSize), EFuse: make([]byte, 10)})
	var size *emu.EFuseSizeError
	if !errors.As(err, &size) || size.Want != 336 {
		t.Errorf("wrong size: %v", err)
	}
}

// The check bytes are those of the reedsolo package, which Espressif's tool
// uses, and up to six wrong bytes are corrected.
func TestReedSolomon(t *testing.T) {
	f := newRSField()
	for _, k := range []struct{ data, check string }{
		{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "a04c470d3ffcb203dae9f413"},
		{"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "13a36292597404257375e0aa"},
		{"0100000000000000000000000000000000000000000000000000000000000000", "e10f626eafecc5fbc6e0972f"},
	} {
		if got := f.encode((*[rsData]byte)(unhex(t, k.data))); !bytes.Equal(got[:], unhex(t, k.check)) {
			t.Errorf("%s: % x", k.data, got)
		}
	}
	rng := rand.New(rand.NewPCG(17, 18))
	for range 300 {
		var word [rsLength]byte
		copy(word[:], randomBytes(rng, rsData))
		check := f.encode((*[rsData]byte)(word[:]))
		copy(word[rsData:], check[:])
		damaged, n := word, rng.IntN(8)
		for _, at := range rng.Perm(rsLength)[:n] {
			damaged[at] ^= byte(1 + rng.IntN(255))
		}
		wrong, ok := f.correct(&damaged)
		if n <= 6 && (!ok || wrong != n || damaged != word) {
			t.Errorf("%d wrong bytes: says %d, %v", n, wrong, ok)
		}
		if n == 7 && ok && damaged == word {
			t.Error("seven wrong bytes are corrected")
		}
	}
}

// A block that is burnt twice, or without check bytes, has errors that RS_ERR
// counts, and another board starts with them.
func TestEFuseBurntTwice(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	c.storeBytes(efuseBase, make([]byte, rsLength))
	c.w(efuseBase, 0x80)
	c.efuse1(efOpWrite, 2|3<<2)
	c.efuse1(efOpRead, 1)
	c.want(efuseBase+0x7c, 0) // a byte without check bytes is one error
	c.want(efuseBase+efRSErr0, 1<<8)
	for i := range uint32(8) {
		c.w(efuseBase+4*i, 0x01020304)
	}
	c.efuse1(efOpWrite, 2|3<<2)
	c.efuse1(efOpRead, 1)
	c.want(efuseBase+efRSErr0, 8<<8) // FAIL
	other := newTestChip(t, emu.Config{EFuse: c.board.EFuse()})
	other.want(efuseBase+efRSErr0, 8<<8)
	other.want(efuseBase+0x7c, 0x01020384)
}
