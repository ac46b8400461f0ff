package export

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
)

// join is what a script's image function does.
func join(pieces []Piece, sources ...[]byte) (out []byte) {
	for _, p := range pieces {
		switch {
		case p.Source > 0:
			out = append(out, sources[p.Source-1][p.Offset:p.Offset+p.Size]...)
		case p.Literal != nil:
			out = append(out, p.Literal...)
		default:
			out = append(out, bytes.Repeat([]byte{p.Fill}, p.Size)...)
		}
	}
	return out
}

func hash(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

func random(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestPieces: an image of segments of an ELF, a bootloader with a changed header and
// fillings is a few pieces, which joined are the image; any other image, too.
func TestPieces(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	elf, boot := random(r, 100_000), random(r, 20_000)
	img := append(bytes.Clone(boot[:2]), 7)
	img = append(img, boot[3:]...)
	img = append(img, bytes.Repeat([]byte{0xff}, 12_768)...)
	img = append(img, random(r, 24)...)
	img = append(img, elf[5000:60_000]...)
	img = append(img, random(r, 8)...)
	img = append(img, elf[200:4000]...)
	pieces := Pieces(img, elf, boot)
	if got := join(pieces, elf, boot); !bytes.Equal(got, img) {
		t.Fatal("joined, the pieces are another image")
	}
	if len(pieces) > 12 {
		t.Errorf("%d pieces", len(pieces))
	}
	for _, b := range [][]byte{nil, {1}, make([]byte, 300), random(r, 1000), append(make([]byte, 300), random(r, 50)...), elf} {
		if got := join(Pieces(b, elf, boot), elf, boot); !bytes.Equal(got, b) {
			t.Errorf("%d bytes: another image", len(b))
		}
	}
}

func FuzzPieces(f *testing.F) {
	f.Add([]byte("abcdefghijklmnopqrstuvwxyz0123456789abcdefghij"), []byte("mnopqrstuvwxyz0123456789abcdefghijklmnop"))
	f.Add(make([]byte, 600), []byte{0})
	f.Fuzz(func(t *testing.T, img, source []byte) {
		if got := join(Pieces(img, source), source); !bytes.Equal(got, img) {
			t.Errorf("joined, the pieces are another image")
		}
	})
}

// TestWords: what is quoted is one word for a shell, whatever is in it.
func TestWords(t *testing.T) {
	sh := devtest.Tool(t, "sh")
	args := []string{"", "plain-1.0/x", "two words", "it's", `$HOME "and" \ more`, "a\nb", "*", "ü"}
	out, err := exec.Command(sh, "-c", "printf '%s|' "+words(args)).CombinedOutput()
	if err != nil || string(out) != strings.Join(args, "|")+"|" {
		t.Errorf("%q, %v", out, err)
	}
}

// TestImage runs a script's image function: the pieces in a shell are the bytes of
// the image, and another ELF, or an archive without a file, is refused.
func TestImage(t *testing.T) {
	sh := devtest.Tool(t, "sh")
	r := rand.New(rand.NewPCG(3, 4))
	elf := random(r, 30_000)
	img := append(random(r, 300), elf[100:20_000]...)
	img = append(append(img, bytes.Repeat([]byte{0xff}, 5000)...), elf[25_000:]...)
	dir := t.TempDir()
	script := Script(Recipe{Name: "it's", Archive: "a.oci", Out: "/out/app", Dir: "/src", Argv: []string{"cargo"},
		ELF: hash(elf), Image: hash(img), Pieces: Pieces(img, elf)})
	put := func(name string, b []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, b, 0o666); err != nil {
			t.Fatal(err)
		}
		return name
	}
	build := put("build.sh", []byte(script))
	run := func(args ...string) (string, error) {
		out, err := exec.Command(sh, append([]string{build}, args...)...).CombinedOutput()
		return string(out), err
	}
	to := filepath.Join(dir, "to here")
	if out, err := run("image", put("elf", elf), to); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got, err := os.ReadFile(filepath.Join(to, "it's.bin")); err != nil || !bytes.Equal(got, img) {
		t.Errorf("another image: %d bytes, %v", len(got), err)
	}
	if out, err := run("image", put("other", elf[1:]), to); err == nil || !strings.Contains(out, "is not what the archive was made of") {
		t.Errorf("another ELF: %v, %s", err, out)
	}
	if out, err := run("unpack", filepath.Join(dir, "root")); err == nil || !strings.Contains(out, "a.oci is not beside this script") {
		t.Errorf("without the archive: %v, %s", err, out)
	}
}
