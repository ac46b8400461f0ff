package settings

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/esp/nvs"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/emuport"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
)

const app = `-- Cargo.toml --
[package]
name = "app"
version = "0.1.0"
edition = "2021"
[dependencies]
esp-hal = "1"
-- src/main.rs --
fn main() {}
`

// The network of wifi-settings.nix, of the second text in the project's history, as
// a partition: a name, a passphrase, and what a shop needs besides.
const xiao = app + `-- espalier.toml --
[image]
partition-table = "partitions.csv"
[nvs]
devices = "devices.csv"
[nvs.wifi]
ssid = "your-ssid"
password = { secret = "WIFI_PASS" }
channel = { u8 = 6 }
hidden = false
[nvs.app]
id = { u32 = 0 }
retries = -3
since = 1700000000000
pin = { blob = "00ff" }
cert = { file = "cert.der" }
ca = { file = "ca.pem", type = "string" }
-- partitions.csv --
nvs,      data, nvs,      , 24K
nvs_keys, data, nvs_keys, , 4K
factory,  app,  factory,  , 1M
small,    data, nvs,      , 4K
-- devices.csv --
# one row for each board
name,mac,app.id,wifi.host,app.boost:i8
kitchen,7c:df:a1:00:00:01,1,"kitchen, left",-5
garden,7CDFA1000002,2,garden,
-- cert.der --
der bytes
-- ca.pem --
-----BEGIN-----
`

func unpack(t *testing.T, archive string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		name := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func open(t *testing.T, archive string) (*project.Project, partition.Table, error) {
	t.Helper()
	dir := unpack(t, archive)
	p, err := project.Open(dir, project.Options{})
	if err != nil {
		return nil, partition.Table{}, err
	}
	table := partition.Default(0)
	if p.Espalier.Image.PartitionTable.V != "" {
		b, err := os.ReadFile(filepath.Join(dir, p.Espalier.Image.PartitionTable.V))
		if err != nil {
			t.Fatal(err)
		}
		if table, err = partition.ParseCSV(b); err != nil {
			t.Fatal(err)
		}
	}
	return p, table, nil
}

func secret(s project.Secret) (string, error) { return "value of " + s.Name, nil }

func list(entries []nvs.Entry) string {
	var out []string
	for _, e := range entries {
		out = append(out, fmt.Sprintf("%s.%s %s %s", e.Namespace, e.Key, e.Value.Type, e.Value))
	}
	return strings.Join(out, "\n")
}

const kitchen = `app.boost i8 -5
app.ca string -----BEGIN-----

app.cert blob 64657220627974657 30a
app.id u32 1
app.pin blob 00ff
app.retries i32 -3
app.since i64 1700000000000
wifi.channel u8 6
wifi.hidden u8 0
wifi.host string kitchen, left
wifi.password string value of WIFI_PASS
wifi.ssid string your-ssid`

func TestWrite(t *testing.T) {
	p, table, err := open(t, xiao)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range p.Files {
		if f.Path == "devices.csv" || f.Path == "cert.der" {
			t.Errorf("%s is in the input tree, which reaches the store", f.Path)
		}
	}
	mac := [6]byte{0x7c, 0xdf, 0xa1, 0, 0, 1}
	for _, encrypted := range []bool{false, true} {
		p.Espalier.NVS.Encrypted.V = encrypted
		j, err := For(p, table, "", secret)
		if err != nil {
			t.Fatal(err)
		}
		flash := Memory(bytes.Repeat([]byte{0xff}, 4<<20))
		s, err := j.Write(t.Context(), flash, mac, rand.NewChaCha8([32]byte{}))
		if err != nil || s.Device != "kitchen" || s.Values != 12 || len(s.Changed) != 12 || s.NewKeys != encrypted {
			t.Errorf("%+v, %v", s, err)
		}
		keys, _ := table.Find("nvs_keys")
		k, err := nvs.ParseKeys(flash[keys.Offset:])
		if (err == nil) != encrypted {
			t.Errorf("keys: %v", err)
		}
		part := flash[j.Partition.Offset:][:j.Partition.Size]
		given := &k
		if !encrypted {
			given = nil
		}
		// The firmware changes a value and adds one.
		q, err := nvs.Open(part, given)
		if err != nil {
			t.Fatal(err)
		}
		if got := list(q.List()); got != strings.ReplaceAll(kitchen, " 30a", "30a") {
			t.Errorf("values\n%s", got)
		}
		for key, v := range map[string]string{"boots": "17", "ssid": "elsewhere"} {
			ops, err := q.Set("wifi", key, nvs.Text(v))
			if err != nil {
				t.Fatal(err)
			}
			_ = flash.Do(t.Context(), j.Partition.Offset, nil, ops)
		}
		s, err = j.Write(t.Context(), flash, mac, rand.NewChaCha8([32]byte{1}))
		if err != nil || len(s.Changed) != 1 || s.Changed[0] != "wifi.ssid" || s.NewKeys {
			t.Errorf("again: %+v, %v", s, err)
		}
		q, _ = nvs.Open(flash[j.Partition.Offset:][:j.Partition.Size], given)
		if v, err := q.Get("wifi", "boots"); err != nil || v.String() != "17" {
			t.Errorf("the firmware's own value: %s, %v", v, err)
		}
		if bytes.Contains(part, []byte("your-ssid")) == encrypted {
			t.Errorf("encrypted %t: the name of the network is plain text or not", encrypted)
		}
		if !encrypted {
			p.Espalier.NVS.Encrypted.V = true
			j, _ = For(p, table, "garden", secret)
			if _, err := j.Write(t.Context(), flash, mac, rand.NewChaCha8([32]byte{})); err == nil || !strings.Contains(err.Error(), "cannot be encrypted as it is") {
				t.Errorf("encrypting a plain partition: %v", err)
			}
		}
	}
}

// What does not fit is an error with the file and the line, or the device that is
// not there.
func TestRefused(t *testing.T) {
	edit := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(xiao) }
	for _, tt := range []struct{ name, archive, device, want string }{
		{"no partition", edit("[nvs]\n", "[nvs]\npartition = \"settings\"\n"), "garden", "espalier.toml:4:1: [nvs]: no partition called settings in partitions.csv"},
		{"default table", app + "-- espalier.toml --\n[nvs]\npartition = \"x\"\n", "", "no partition called x in the default partition table"},
		{"subtype", edit("[nvs]\n", "[nvs]\npartition = \"factory\"\n"), "garden", "partitions.csv:3: partition factory has type app and subtype factory; [nvs] needs data and nvs"},
		{"too small", edit("[nvs]\n", "[nvs]\npartition = \"small\"\n"), "garden", "partitions.csv:4: partition small has 0x1000 bytes; [nvs] needs at least 0x3000"},
		{"flag", edit("nvs,      , 24K", "nvs,      , 24K, encrypted"), "garden", "partitions.csv:1: partition nvs has the flag encrypted"},
		{"no keys", edit("[nvs]\n", "[nvs]\nencrypted = true\n", "nvs_keys, data, nvs_keys, , 4K\n", ""), "garden", "espalier.toml:4:1: [nvs]: no partition called nvs_keys"},
		{"no name", xiao, "attic", "--device attic: "},
		{"type of a column", edit("7CDFA1000002,2,", "7CDFA1000002,many,"), "garden", `devices.csv:4: app.id: "many" is not a u32: want a number from 0 to 4294967295`},
		{"fields", edit("2,garden,\n", "2\n"), "garden", "devices.csv:4: wrong number of fields"},
		{"mac", edit("7CDFA1000002", "7CDFA1"), "garden", `devices.csv:4: mac: "7CDFA1" is not a MAC address`},
		{"twice", edit("garden,7CDFA1000002", "kitchen,7CDFA1000002"), "garden", "devices.csv:4: the device is in line 3 already"},
		{"unknown type", edit("boost:i8", "boost:i9"), "garden", `devices.csv:2: column app.boost:i9: unknown type "i9"`},
		{"column", edit("name,mac,app.id", "name,mac,id"), "garden", `devices.csv:2: column "id": want name, mac or NAMESPACE.KEY`},
		{"value", edit("{ u8 = 6 }", "{ u8 = 256 }"), "", `espalier.toml:8:11: nvs.wifi.channel: "256" is not a u8: want a number from 0 to 255`},
		{"array", edit("{ u8 = 6 }", "[6]"), "", "nvs.wifi.channel: want a string, an integer, a boolean or a table"},
		{"two types", edit("{ u8 = 6 }", "{ u8 = 6, u16 = 6 }"), "", "and no second"},
		{"unknown key", edit("{ u8 = 6 }", "{ byte = 6 }"), "", `unknown key "byte": want one of u8,`},
		{"long key", edit("channel =", "channel_of_the_network ="), "", `key "channel_of_the_network": want 1 to 15 characters`},
		{"no file", edit("file = \"cert.der\"", "file = \"no.der\""), "", "nvs.app.cert: no.der: no such file"},
		{"value outside of a namespace", edit("[nvs]\n", "[nvs]\nssid = \"x\"\n"), "", "espalier.toml:4:1: nvs.ssid: values are in namespaces"},
		{"device without a file", app, "garden", "names no file of devices"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, table, err := open(t, tt.archive)
			if err == nil {
				_, err = For(p, table, tt.device, secret)
			}
			if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	p, table, err := open(t, xiao)
	if err != nil {
		t.Fatal(err)
	}
	j, err := For(p, table, "", secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := j.Entries([6]byte{2, 0, 0, 0, 0, 9}); err == nil || !strings.Contains(err.Error(), "has no device with the MAC address 02:00:00:00:00:09") {
		t.Errorf("an unknown board: %v", err)
	}
	j.Emulated = true
	if e, name, err := j.Entries([6]byte{2, 0, 0, 0, 0, 9}); err != nil || name != "" || len(e) != 10 {
		t.Errorf("an unknown emulated board: %d values for %q, %v", len(e), name, err)
	}
}

// chip is an emulated chip in its loader, which is the real mask ROM.
func chip(t *testing.T, flash []byte) (*emuport.Port, *loader.Loader) {
	t.Helper()
	rom, err := os.ReadFile(filepath.Join(devtest.Data(t, "espflash"), "resources", "roms", "esp32c3_rev300_rom.elf"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := emuport.New(emu.Config{ROM: rom, Flash: flash}, emuport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := loader.Connect(t.Context(), p, loader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p, l
}

// On a board the flash afterwards is the one that the operations make, and a board
// that is disconnected in the middle has the old or the new value.
func TestBoard(t *testing.T) {
	table := partition.Default(0)
	e, _ := table.Find("nvs")
	content := bytes.Repeat([]byte{0xff}, 4<<20)
	copy(content[0x8000:], table.Binary())
	before := bytes.Clone(content)
	used, err := nvs.New(int(e.Size), nil)
	if err != nil {
		t.Fatal(err)
	}
	set := func(l *loader.Loader, words ...string) (Result, error) {
		t.Helper()
		act, err := ParseAction(words, ActionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return InFlash(t.Context(), Board{l}, table, "", "", act)
	}
	for i := range 40 { // on a board that was in use
		if _, err := used.Set("wifi", fmt.Sprint("k", i%9), nvs.Text(strings.Repeat("v", 20*i))); err != nil {
			t.Fatal(err)
		}
	}
	copy(content[e.Offset:], used.Bytes())
	port, l := chip(t, content)
	for i := range 4 {
		if _, err := set(l, "set", "wifi", fmt.Sprint("k", i), strings.Repeat("w", 500*i+8)); err != nil {
			t.Fatal(err)
		}
	}
	var flash []byte
	port.Do(func(b *emu.Board) { flash = b.Flash() })
	q, err := nvs.Open(flash[e.Offset:][:e.Size], nil)
	if err != nil || len(q.List()) != 9 || len(q.Damage()) != 0 {
		t.Fatalf("%v, %v", q.List(), err)
	}
	copy(before[e.Offset:], flash[e.Offset:][:e.Size])
	if !bytes.Equal(flash, before) {
		t.Error("flash outside the partition has changed")
	}
	if r, err := set(l, "read", "wifi", "k3"); err != nil || len(r.Values) != 1 || r.Values[0].Value != strings.Repeat("w", 1508) {
		t.Errorf("%+v, %v", r, err)
	}

	// The connection ends after n operations: a Flash that fails then.
	for n := range 4 {
		_, l := chip(t, bytes.Clone(flash))
		act, _ := ParseAction([]string{"set", "wifi", "k1", "new"}, ActionOptions{})
		f := &failing{Board{l}, n}
		if _, err := InFlash(t.Context(), f, table, "", "", act); err == nil && n < 3 {
			t.Fatalf("after %d operations: no error", n)
		}
		r, err := set(l, "read", "wifi", "k1")
		if err != nil || r.Values[0].Value != "new" && r.Values[0].Value != strings.Repeat("w", 508) {
			t.Errorf("after %d operations: %v, %v", n, r.Values, err)
		}
		if r, err := set(l, "set", "wifi", "k1", "new"); err != nil || len(r.Lost) != 0 {
			t.Errorf("again: %v", err)
		}
	}
}

// A job on a board: keys are made once, and the flash is what the same job makes of
// the content of a flash.
func TestJobOnBoard(t *testing.T) {
	p, table, err := open(t, strings.Replace(xiao, "[nvs]\n", "[nvs]\nencrypted = true\n", 1))
	if err != nil {
		t.Fatal(err)
	}
	j, err := For(p, table, "garden", secret)
	if err != nil {
		t.Fatal(err)
	}
	memory := Memory(bytes.Repeat([]byte{0xff}, 4<<20))
	port, l := chip(t, bytes.Clone(memory))
	for _, changed := range []int{11, 0} {
		s, err := j.Write(t.Context(), Board{l}, [6]byte{}, rand.NewChaCha8([32]byte{}))
		if err != nil || len(s.Changed) != changed || s.NewKeys != (changed > 0) || s.Device != "garden" {
			t.Fatalf("%+v, %v", s, err)
		}
	}
	if _, err := j.Write(t.Context(), memory, [6]byte{}, rand.NewChaCha8([32]byte{})); err != nil {
		t.Fatal(err)
	}
	port.Do(func(b *emu.Board) {
		if !bytes.Equal(b.Flash(), memory) {
			t.Error("the board's flash differs")
		}
	})
}

type failing struct {
	Board
	left int
}

func (f *failing) Do(ctx context.Context, base uint32, before []byte, ops []nvs.Op) error {
	for i := range ops {
		if f.left == 0 {
			return errors.New("the port is gone")
		}
		f.left--
		if err := f.Board.Do(ctx, base, before, ops[i:i+1]); err != nil {
			return err
		}
		before = bytes.Clone(before)
		ops[i].Apply(before)
	}
	return nil
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	p, err := nvs.New(0x6000, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Set("wifi", "channel", nvs.Value{Type: nvs.U8, Number: 6}); err != nil {
		t.Fatal(err)
	}
	table := partition.Default(0)
	whole := bytes.Repeat([]byte{0xff}, 4<<20)
	copy(whole[0x8000:], table.Binary())
	copy(whole[0x9000:], p.Bytes())
	for name, b := range map[string][]byte{"partition.bin": p.Bytes(), "flash.bin": whole} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, name)
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
			do := func(stdin, typ string, words ...string) (string, error) {
				act, err := ParseAction(words, ActionOptions{Stdin: strings.NewReader(stdin), Type: typ})
				if err != nil {
					return "", err
				}
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				r, err := InFile(t.Context(), file, b, "", "", act)
				var out printer
				if err == nil {
					r.Print(&out)
				}
				return out.String(), err
			}
			for _, step := range []struct{ stdin, typ, words, want string }{
				{"", "", "read wifi channel", "6\n"},
				{"", "", "set wifi channel 11", ""},
				{"from a pipe\nsecond line", "", "set wifi password", ""},
				{"", "u32", "set app id 0x10", ""},
				{"", "", "list", "app.id\tu32\t16\nwifi.channel\tu8\t11\nwifi.password\tstring\tfrom a pipe\n"},
				{"", "", "erase app id", ""},
				{"", "", "erase wifi", ""},
				{"", "", "list", ""},
				{"", "", "set wifi channel x --", "error nvs set: 4 names are given"},
				{"", "", "read wifi nothing", "error partition "},
				{"", "", "get wifi nothing", "error nvs get: want list, read, set or erase"},
				{"", "u9", "set a b c", "error --type u9: want one of u8"},
				{"", "u8", "set a b c", `error a.b: "c" is not a u8`},
			} {
				out, err := do(step.stdin, step.typ, strings.Fields(step.words)...)
				if err != nil {
					out = "error " + err.Error()
				}
				if out != step.want && !(err != nil && strings.HasPrefix(step.want, "error") && strings.HasPrefix(out, step.want)) {
					t.Errorf("%s: %q, want %q", step.words, out, step.want)
				}
			}
			if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 || int(st.Size()) != len(b) {
				t.Errorf("%v, %v", st, err)
			}
		})
	}
}

type printer struct{ strings.Builder }

func (p *printer) Printf(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }
func (p *printer) Note(string, ...any)               {}
func (p *printer) Event(string, any)                 {}

func FuzzParseDevices(f *testing.F) {
	f.Add([]byte("name,mac,app.id:u32\nx,7c:df:a1:00:00:01,1\n"))
	f.Add([]byte("mac,w.s\n\"7c-df-a1-00-00-01\",\"a\nb\"\n#c\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		devices, err := ParseDevices("d.csv", b, nil)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "d.csv:") {
				t.Errorf("no line: %v", err)
			}
			return
		}
		for _, d := range devices {
			p, _ := nvs.New(nvs.MinSize, nil)
			for _, e := range d.Values {
				if _, err := p.Set(e.Namespace, e.Key, e.Value); err != nil && !errors.Is(err, nvs.ErrFull) {
					t.Errorf("%s.%s cannot be stored: %v", e.Namespace, e.Key, err)
				}
			}
		}
	})
}
