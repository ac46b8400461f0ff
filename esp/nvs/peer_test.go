package nvs

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
)

// generator runs Espressif's generator of partitions in a directory.
func generator(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command(devtest.Tool(t, "esp_idf_nvs_partition_gen"), args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", args, err, out)
	}
}

// writeCSV writes values as the generator reads them. It has no empty blobs.
func writeCSV(t *testing.T, dir string, entries []Entry) {
	t.Helper()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"key", "type", "encoding", "value"})
	namespace := ""
	for _, e := range entries {
		if e.Namespace != namespace {
			namespace = e.Namespace
			_ = w.Write([]string{namespace, "namespace", "", ""})
		}
		encoding, text := e.Value.Type.String(), e.Value.String()
		if e.Value.Type == Blob {
			encoding, text = "hex2bin", hex.EncodeToString(e.Value.Data)
		}
		_ = w.Write([]string{e.Key, "data", encoding, text})
	}
	w.Flush()
	if err := os.WriteFile(filepath.Join(dir, "in.csv"), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// forGenerator is the sample without what the generator refuses: empty values and a
// string that takes a whole page.
func forGenerator(t *testing.T) []Entry {
	var out []Entry
	for _, e := range sample(t) {
		switch e.Key {
		case "empty", "a_key_of_15_chr":
			continue
		case "long":
			e.Value.Data = e.Value.Data[:MaxString-EntrySize-1]
		}
		out = append(out, e)
	}
	return out
}

func read(t *testing.T, name ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(name...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Partitions of Espressif's generator are read, version 1 and 2, plain and
// encrypted by both schemes, and can be changed.
func TestReadsGenerator(t *testing.T) {
	devtest.Tool(t, "esp_idf_nvs_partition_gen")
	all := forGenerator(t)
	var small []Entry // version 1 has no blobs of several pages
	for _, e := range all {
		if len(e.Value.Data) < 1900 {
			small = append(small, e)
		}
	}
	for _, tt := range []struct {
		name    string
		entries []Entry
		args    []string
		keys    func(t *testing.T, dir string) *Keys
	}{
		{"version 2", all, []string{"generate", "in.csv", "out.bin", "0x9000"}, nil},
		{"version 1", small, []string{"generate", "in.csv", "out.bin", "0x9000", "--version", "1"}, nil},
		{"encrypted", all, []string{"encrypt", "in.csv", "out.bin", "0x9000", "--keygen", "--keyfile", "k.bin"},
			func(t *testing.T, dir string) *Keys {
				k, err := ParseKeys(read(t, dir, "keys", "k.bin"))
				if err != nil {
					t.Fatal(err)
				}
				return &k
			}},
		{"keys from an eFuse", all, []string{"encrypt", "in.csv", "out.bin", "0x9000", "--keygen", "--key_protect_hmac", "--kp_hmac_keygen", "--kp_hmac_keyfile", "h.bin"},
			func(t *testing.T, dir string) *Keys {
				k := HMACKeys([32]byte(read(t, dir, "keys", "h.bin")))
				return &k
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			writeCSV(t, dir, tt.entries)
			generator(t, dir, tt.args...)
			var k *Keys
			if tt.keys != nil {
				k = tt.keys(t, dir)
			}
			p := open(t, read(t, dir, "out.bin"), k)
			same(t, p.List(), tt.entries)
			if d := p.Damage(); len(d) != 0 {
				t.Errorf("damage %v", d)
			}
			if _, err := p.Set("wifi", "ssid", Text("elsewhere")); err != nil {
				t.Fatal(err)
			}
			if v, _ := open(t, p.Bytes(), k).Get("wifi", "ssid"); v.String() != "elsewhere" {
				t.Errorf("ssid %s", v)
			}
		})
	}
}

// The generator decrypts an encrypted partition to the bytes of the plain one.
func TestGeneratorDecrypts(t *testing.T) {
	dir := t.TempDir()
	entries := sample(t)
	k := keys()
	for name, b := range map[string][]byte{"in.bin": written(t, 0x9000, k, entries).Bytes(), "keys.bin": k.Partition()} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	generator(t, dir, "decrypt", "in.bin", "keys.bin", "out.bin")
	if !bytes.Equal(read(t, dir, "out.bin"), written(t, 0x9000, nil, entries).Bytes()) {
		t.Error("the decrypted partition differs from the plain one")
	}
}

// Both make the same bytes of the same values, but for the order of pages.
func TestSameAsGenerator(t *testing.T) {
	dir := t.TempDir()
	var entries []Entry
	for _, e := range forGenerator(t) {
		if !strings.Contains("big long", e.Key) { // one page
			entries = append(entries, e)
		}
	}
	writeCSV(t, dir, entries)
	generator(t, dir, "generate", "in.csv", "out.bin", "0x4000")
	if !bytes.Equal(read(t, dir, "out.bin"), written(t, 0x4000, nil, entries).Bytes()) {
		t.Error("the partitions differ")
	}
}
