package session

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/fault"
)

// Settings that cannot be used are refused before anything is built, with the
// place where they were made.
func TestSettings(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	const at = "espalier.toml:7:1"
	one := func(text string) []Setting { return []Setting{{text, at}} }
	for _, tc := range []struct {
		name string
		s    Settings
		want string // "": accepted
	}{
		{"nothing", Settings{}, ""},
		{"all", Settings{
			Net: Setting{"host", at}, Hosts: append(one("nas.home=192.0.2.9"), one("six=2001:db8::1")...),
			Forward: append(one("8080:80"), append(one("127.0.0.1:0:80"), one("[::1]:8080:80")...)...),
			Faults:  one("at 2s deauth"), Serve: Setting{dir, at}, Record: filepath.Join(dir, "new"), Passphrase: Setting{"eight888", at},
		}, ""},
		{"net", Settings{Net: Setting{"internet", at}}, at + " internet: want isolated, host or none"},
		{"old name of net", Settings{Net: Setting{"island", "--net"}}, "--net island: this mode is now called isolated"},
		{"host", Settings{Hosts: one("nas.home")}, at + " nas.home: want a name and an address"},
		{"address of a host", Settings{Hosts: one("nas=x")}, at + " nas=x: want"},
		{"forward", Settings{Forward: one("80")}, at + " 80: want [ADDR:]PORT:GUEST"},
		{"forward to 0", Settings{Forward: one("80:0")}, at + " 80:0: want"},
		{"forward by name", Settings{Forward: one("localhost:80:80")}, at + " localhost:80:80: want"},
		{"fault", Settings{Faults: one("deauth")}, at + `: fault "deauth": `},
		{"passphrase", Settings{SSID: Setting{"x", "default"}, Passphrase: Setting{"short", at}}, at + ": access point: "},
		{"SSID", Settings{SSID: Setting{strings.Repeat("x", 33), at}}, at + ": access point: "},
		{"serve", Settings{Serve: Setting{filepath.Join(dir, "none"), at}}, at + ": opening "},
		{"serve a file", Settings{Serve: Setting{file, at}}, at + " " + file + ": not a directory"},
		{"replay and record", Settings{Replay: file, Record: "y"}, "excludes --record"},
		{"replay", Settings{Replay: filepath.Join(dir, "none")}, "opening " + filepath.Join(dir, "none") + ": no such file"},
		{"record", Settings{Record: filepath.Join(dir, "none", "run")}, "the directory does not exist"},
		{"capture", Settings{Capture: dir}, "opening " + dir + ": is a directory"},
		{"file as directory", Settings{Capture: filepath.Join(file, "x")}, "opening " + filepath.Join(file, "x") + ": "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.s.SSID.Text == "" {
				tc.s.SSID = Setting{"espalier", "default"}
			}
			_, err := tc.s.Parse()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%v, want %q", err, tc.want)
			}
			if err != nil && fault.KindOf(err) != fault.Usage {
				t.Errorf("exit %d", fault.KindOf(err))
			}
		})
	}
}
