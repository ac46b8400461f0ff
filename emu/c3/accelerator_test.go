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

func TestEFuse(t *testing.T) {
	c := newTestChip(t, emu.Config{MAC: [6]byte{0x7c, 0xdf, 0xa1, 0x11, 0x22, 0x33}})
	c.want(efuseBase+0x44, 0xa1112233)
	c.want(efuseBase+0x48, 0x7cdf)

	burn := func(blk uint32, v uint32) {
		for i := range uint32(8) {
			c.w(efuseBase+4*i, 0)
		}
		c.w(efuseBase, v)
		c.efuse1(efOpWrite, 2|blk<<2)
	}
	const usr = efuseBase + 0x7c // block 3
	burn(3, 0x0f)
	c.want(usr, 0) // shows only after a read
	c.efuse1(efOpRead, 1)
	c.want(usr, 0x0f)
	burn(3, 0xf0) // bits only ever get set
	c.efuse1(efOpRead, 1)
	c.want(usr, 0xff)
	c.want(efuseBase+efIntRaw, 3)
	c.w(efuseBase+efIntClr, 3)
	c.want(efuseBase+efIntRaw, 0)

	c.w(efuseBase+efConf, 0x1234) // wrong opcode
	c.w(efuseBase+efCmd, 2|3<<2)
	c.want(efuseBase+efCmd, 0)

	burn(0, 1<<22) // WR_DIS for block 3
	burn(3, 1<<31)
	c.efuse1(efOpRead, 1)
	c.want(usr, 0xff)

	burn(4, 0xcafe) // KEY0
	c.efuse1(efOpRead, 1)
	c.want(efuseBase+efKey0, 0xcafe)
	c.w(efuseBase, 0)
	c.w(efuseBase+4, 1) // RD_DIS of KEY0
	c.efuse1(efOpWrite, 2)
	c.efuse1(efOpRead, 1)
	c.want(efuseBase+efKey0, 0)

	// The content goes on to another board.
	other := newTestChip(t, emu.Config{EFuse: c.board.EFuse()})
	other.want(usr, 0xff)
	other.want(efuseBase+0x44, 0xa1112233)

	_, err := New(emu.Config{ROM: make([]byte, romSize), EFuse: make([]byte, 10)})
	var size *emu.EFuseSizeError
	if !errors.As(err, &size) || size.Want != 336 {
		t.Errorf("wrong size: %v", err)
	}
}
