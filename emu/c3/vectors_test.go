package c3

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"

	"espalier.dev/espalier/emu"
)

// Published test vectors, computed by the accelerators through their registers.

// FIPS 180-4's examples (NIST, Secure Hash Standard examples): one block and two.
func TestSHAVectors(t *testing.T) {
	const two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
	c := newTestChip(t, emu.Config{})
	for _, k := range []struct {
		mode      uint32
		text, sum string
	}{
		{shaMode1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{shaMode1, two, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
		{shaMode224, "abc", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"},
		{shaMode224, two, "75388b16512776cc5dba5da1fd890150b0c6455cb4f58b1952522525"},
		{shaMode256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{shaMode256, two, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	} {
		padded := append([]byte(k.text), 0x80)
		for len(padded)%64 != 56 {
			padded = append(padded, 0)
		}
		padded = binary.BigEndian.AppendUint64(padded, uint64(len(k.text))*8)
		c.w(shaBase+shaMode, k.mode)
		start := uint32(shaStart)
		for at := 0; at < len(padded); at += shaBlock {
			c.storeBytes(shaBase+shaM, padded[at:at+shaBlock])
			c.w(shaBase+start, 1)
			c.want(shaBase+shaBusy, 0)
			start = shaContinue
		}
		if got := hex.EncodeToString(c.loadBytes(shaBase+shaH, len(k.sum)/2)); got != k.sum {
			t.Errorf("mode %d of %q: %s, want %s", k.mode, k.text, got, k.sum)
		}
	}
}

// NIST SP 800-38A, appendix F: four blocks in each mode.
func TestAESVectors(t *testing.T) {
	const (
		key128 = "2b7e151628aed2a6abf7158809cf4f3c"
		key256 = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"
		iv     = "000102030405060708090a0b0c0d0e0f"
		count  = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
	)
	plain := unhex(t, "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"+
		"30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710")
	c := newTestChip(t, emu.Config{})
	for _, k := range []struct {
		section string
		chain   uint32
		key, iv string
		cipher  string
	}{
		{"F.1.1 ECB", aesECB, key128, iv, "3ad77bb40d7a3660a89ecaf32466ef97 f5d3d58503b9699de785895a96fdbaaf 43b1cd7f598ece23881b00e3ed030688 7b0c785e27e8ad3f8223207104725dd4"},
		{"F.2.1 CBC", aesCBC, key128, iv, "7649abac8119b246cee98e9b12e9197d 5086cb9b507219ee95db113a917678b2 73bed6b8e3c1743b7116e69e22229516 3ff1caa1681fac09120eca307586e1a7"},
		{"F.2.5 CBC", aesCBC, key256, iv, "f58c4c04d6e5f1ba779eabfb5f7bfbd6 9cfc4e967edb808d679f777bc6702c7d 39f23369a9d9bacfa530e26304231461 b2eb05e2c39be9fcda6c19078c6a9d1b"},
		{"F.3.13 CFB128", aesCFB128, key128, iv, "3b3fd92eb72dad20333449f8e83cfb4a c8a64537a0b3a93fcde3cdad9f1ce58b 26751f67a3cbb140b1808cf187a4f4df c04b05357c5d1c0eeac4c66f9ff7f2e6"},
		{"F.4.1 OFB", aesOFB, key128, iv, "3b3fd92eb72dad20333449f8e83cfb4a 7789508d16918f03f53c52dac54ed825 9740051e9c5fecf64344f7a82260edcc 304c6528f659c77866a510d9c1d6ae5e"},
		{"F.5.1 CTR", aesCTR, key128, count, "874d6191b620e3261bef6864990db6ce 9806f66b7970fdff8617187bb9fffdff 5ae4df3edbd5d35e5b4f09020db03eab 1e031dda2fbe03d1792170a0f3009cee"},
	} {
		key := unhex(t, k.key)
		mode := uint32(len(key)/8 - 2)
		want := unhex(t, strings.ReplaceAll(k.cipher, " ", ""))
		if got, _ := c.aesByDMA(mode, k.chain, 1, key, unhex(t, k.iv), plain); string(got) != string(want) {
			t.Errorf("%s encrypts to %x, want %x", k.section, got, want)
		}
		if got, _ := c.aesByDMA(mode|4, k.chain, 1, key, unhex(t, k.iv), want); string(got) != string(plain) {
			t.Errorf("%s decrypts to %x, want %x", k.section, got, plain)
		}
	}
}

// RFC 4231, section 4.2 to 4.5: a key that is shorter than a block counts as if
// zeros followed, so that it is a key of the eFuse.
func TestHMACVectors(t *testing.T) {
	for _, k := range []struct{ key, text, tag string }{
		{strings.Repeat("0b", 20), hex.EncodeToString([]byte("Hi There")), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
		{hex.EncodeToString([]byte("Jefe")), hex.EncodeToString([]byte("what do ya want for nothing?")), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{strings.Repeat("aa", 20), strings.Repeat("dd", 50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
		{"0102030405060708090a0b0c0d0e0f10111213141516171819", strings.Repeat("cd", 50), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
	} {
		key := make([]byte, 32)
		copy(key, unhex(t, k.key))
		c := newTestChip(t, emu.Config{EFuse: efuseWith(t, map[keyPurpose][]byte{purposeHMACUp: key})})
		if got := hex.EncodeToString(c.hmacSum(0, unhex(t, k.text))); got != k.tag {
			t.Errorf("key %s: %s, want %s", k.key, got, k.tag)
		}
	}
}

// NIST CAVP, SigVer PKCS#1 version 1.5 (FIPS 186-2), modulus 1024, SHA-224, exponent 3:
// the valid signature. The public exponent gives the padded digest of the message, the
// private one the signature.
func TestRSAVector(t *testing.T) {
	number := func(s string) *big.Int { return new(big.Int).SetBytes(unhex(t, s)) }
	n := number("a8d68acd413c5e195d5ef04e1b4faaf242365cb450196755e92e1215ba59802aafbadbf2564dd550956abb54f8b1c917844e5f36195d1088c600e07cada5c080" +
		"ede679f50b3de32cf4026e514542495c54b1903768791aae9e36f082cd38e941ada89baecada61ab0dd37ad536bcb0a0946271594836e92ab5517301d45176b5")
	d := number("1c23c1cce034ba598f8fd2b7af37f1d30b090f7362aee68e5187adae49b9955c729f24a863b7a38d6e3c748e2972f6d940b7ba89043a2d6c2100256a1cf0f56a" +
		"8cd35fc6ee205244876642f6f9c3820a3d9d2c8921df7d82aaadcaf2d7334d398931ddbba553190b3a416099f3aa07fd5b26214645a828419e122cfb857ad73b")
	msg := unhex(t, "d73829497cddbe41b705faac50e7899fdb5a38bf3a459e536357029e64f8796ba47f4fe96ba5a8b9a4396746e2164f55a25368ddd0b9a5188c7ac3da2d1f7422"+
		"86c3bdee697f9d546a25efcfe53191d743fcc6b47833d993d08804daeca78fb9076c3c017f53e33a90305af06220974d46bf19ed3c9b84edbae98b45a8771258")
	signature := number("57677b089e205486df4f56755972e3af88cabbc23efe29439b8d1e60ac226e990da487857392856d12cdcea387a269d1bbbc128549a1135ab062201cab8ac088" +
		"86a313af8554506d7a93855b843086a1bf3dfbcb004ccde779c084ffa1724b41d17e10c8dd67dc0df26200376550eda14455d9b0b31f1d8c5e8bb1d3d963d0d5")
	sum := sha256.Sum224(msg)
	info := append(unhex(t, "302d300d06096086480165030402040500041c"), sum[:]...)
	padded := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, 128-3-len(info))...)
	digest := new(big.Int).SetBytes(append(append(padded, 0), info...))

	const words = 32
	c := newTestChip(t, emu.Config{})
	for _, k := range []struct {
		name       string
		x, y, want *big.Int
	}{{"verifying", signature, big.NewInt(3), digest}, {"signing", digest, d, signature}} {
		c.rsaSetup(n, words)
		c.storeNumber(rsaBase+rsaX, k.x, words)
		c.storeNumber(rsaBase+rsaY, k.y, words)
		c.w(rsaBase+rsaModExp, 1)
		c.run(5 * emu.Second)
		c.want(rsaBase+rsaIdle, 1)
		if got := c.loadNumber(rsaBase+rsaZ, words); got.Cmp(k.want) != 0 {
			t.Errorf("%s gives %x, want %x", k.name, got, k.want)
		}
	}
}
