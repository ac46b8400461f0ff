package build

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestHostPaths(t *testing.T) {
	vendor := t.TempDir()
	if err := os.MkdirAll(filepath.Join(vendor, "esp-hal-1.2.2", "src"), 0o777); err != nil {
		t.Fatal(err)
	}
	h := hostPaths{[]hostPlace{{inside: "/src", host: "/home/me/my $1"}, {inside: "/cargo/registry/src/v", host: vendor, partial: true}}}
	for in, want := range map[string]string{
		`{"src_path":"/src/app/src/main.rs","n":1.50}`: `{"src_path":"/home/me/my $1/app/src/main.rs","n":1.50}`,
		`"path+file:///src/app#hello@0.1.0"`:           `"path+file:///home/me/my%20$1/app#hello@0.1.0"`,
		`"path+file:///src#hello@0.1.0"`:               `"path+file:///home/me/my%20$1#hello@0.1.0"`,
		`"file:///srcs/a"`:                             `"file:///srcs/a"`,
		`"/srcs /src /usr/src/x src/main.rs"`:          `"/srcs /home/me/my $1 /usr/src/x src/main.rs"`,
		`"\u001b[0m/src/a.rs:3:5\n/src/b"`:             `"\u001b[0m/home/me/my $1/a.rs:3:5\n/home/me/my $1/b"`,
		`"a \"/src/x\" \u003c /src/<y>"`:               `"a \"/home/me/my $1/x\" < /home/me/my $1/<y>"`,
		`["/cargo/registry/src/v/esp-hal-1.2.2/src"]`:  `["` + vendor + `/esp-hal-1.2.2/src"]`,
		`["/cargo/registry/src/v/absent/src"]`:         `["/cargo/registry/src/v/absent/src"]`,
		`["registry+https://x/src/y#esp-hal@1.2.2"]`:   `["registry+https://x/src/y#esp-hal@1.2.2"]`,
		`{"unfinished":"/src`:                          `{"unfinished":"/src`,
		`"\ud800 /src/x`:                               `"\ud800 /src/x`,
	} {
		if got := string(h.message([]byte(in))); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", in, got, want)
		}
	}
}

func TestShortMessage(t *testing.T) {
	for in, want := range map[string]string{
		`{"reason":"compiler-message","message":{"message":"no x","level":"error","code":{"code":"E0425"},"spans":[{"file_name":"a.rs","line_start":3,"column_start":5,"is_primary":true},{"file_name":"b.rs","is_primary":false}]}}`: "a.rs:3:5: error[E0425]: no x\n",
		`{"reason":"compiler-message","message":{"message":"unused","level":"warning","code":{"code":"dead_code"},"spans":[{"file_name":"a.rs","line_start":3,"column_start":5,"is_primary":true}]}}`:                                 "a.rs:3:5: warning: unused\n",
		`{"reason":"compiler-message","message":{"message":"aborting","level":"error","code":null,"spans":[]}}`:                                                                                                                       "error: aborting\n",
		`{"reason":"compiler-message","message":{"message":"see","level":"failure-note"}}`:                                                                                                                                            "",
		`{"reason":"compiler-artifact"}`: "",
		`{`:                              "",
	} {
		if got := ShortMessage([]byte(in)); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
	if got := string(PlainMessage([]byte(`{"rendered":"\u001b[91merror\u001b[0m: x\n","n":1}`))); got != `{"rendered":"error: x\n","n":1}` {
		t.Error(got)
	}
}

// FuzzMessage: a message stays JSON, and a translation that changes nothing
// changes no byte.
func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"a":"/src/x","b":["file:///src#1"]}`))
	f.Add([]byte(`"\"\\`))
	h := hostPaths{[]hostPlace{{inside: "/src", host: "/home/me"}}}
	f.Fuzz(func(t *testing.T, b []byte) {
		valid := json.Valid(b)
		if got := h.message(append([]byte(nil), b...)); valid && !json.Valid(got) {
			t.Errorf("%q became %q", b, got)
		}
		if got := (hostPaths{}).message(append([]byte(nil), b...)); !bytes.Equal(got, b) {
			t.Errorf("%q became %q", b, got)
		}
	})
}
