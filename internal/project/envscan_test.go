package project

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/fault"
)

// tricky is Rust source with env! where it counts and where it does
// not. It compiles but for the missing variables.
const tricky = `#!/usr/bin/env rustx
//! env!("DOC")
/* env!("BLOCK") /* nested env!("NESTED") */ env!("STILL") */
#![allow(dead_code, unused)]
const A: &str = env!("A_PLAIN");
const B: &str = core::env!( "B_SPACED" );
const C: &str = env![r"C_RAW"];
const D: &str = std::env!{r#"D_HASH"#};
const E: &str = "env!(\"E_STRING\")";
const F: &str = r#"env!("F_RAW_STRING")"#;
const G: &str = "\\"; const G2: &str = env!("G_AFTER_BACKSLASH");
const H: char = '"'; const H2: &str = env!("H_AFTER_QUOTE_CHAR");
const I: char = '\''; const I2: &str = env!("I_AFTER_ESCAPED_QUOTE");
const J: char = '\u{1F600}'; const J2: &str = env!("J_AFTER_UNICODE");
fn k<'a>(x: &'a str) -> &'a str { let _ = env!("K_AFTER_LIFETIME"); x }
const L: u8 = b'\''; const L2: &[u8] = b"\"env!(\"L_BYTES\")"; const L3: &str = env!("L_AFTER_BYTES");
const M: u8 = b'"'; const M2: &str = env!("M_AFTER_BYTE_QUOTE");
const N: &[u8] = br##"env!("N")"# still"##; const N2: &str = env!("N_AFTER_RAW_BYTES");
fn r#env() {} // a function of that name is no macro
fn o() { r#env(); env(); }
const P: Option<&str> = option_env!("P_OPTIONAL");
const Q: &str = "é"; /* ü */ const Q2: &str = env!("Q_AFTER_NON_ASCII");
const R: &str = env!("R_MESSAGE", "with a message");
const S: &str = "line one \
    env!(\"S\")"; const S2: &str = env!("S_AFTER_CONTINUATION");
const T: i32 = 0x1F_i32; const T2: f64 = 1.0e-3; const T3: &str = env!("T_AFTER_NUMBERS");
macro_rules! mine { ($x:literal) => { concat!("env!", $x) } }
const U: &str = mine!("U");
#[cfg(test)] mod v { const V: &str = env!("V_TEST"); }
#[cfg(not(test))] mod w { pub const W: &str = env!("W_NOT_TEST"); }
const X: std::ops::Range<usize> = 0..3; const X2: &str = env!("X_AFTER_RANGE");
const Y: &std::ffi::CStr = c"env!("; const Y2: &str = env!("Y_AFTER_C_STRING");
fn z() { 'outer: loop { let _ = env!("Z_AFTER_LABEL"); break 'outer; } }
fn main() {}
`

// rustc reports each env! that has no value, with its place: the scan must
// find the same ones.
func TestScanAgainstRustc(t *testing.T) {
	rustc := devtest.Tool(t, "rustc")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.rs"), []byte(tricky), 0o666); err != nil {
		t.Fatal(err)
	}
	text, _ := run(t, dir, rustc, "--edition=2021", "--emit=metadata", "--error-format=json", "x.rs")
	var want []string
	for _, line := range strings.Split(text, "\n") {
		var m struct {
			Message string
			Level   string
			Spans   []struct {
				Line int `json:"line_start"`
				Col  int `json:"column_start"`
				Text []struct{ Text string }
			}
		}
		if json.Unmarshal([]byte(line), &m) != nil || m.Level != "error" || len(m.Spans) == 0 {
			continue
		}
		name, ok := strings.CutPrefix(m.Message, "environment variable `")
		if !ok {
			if m.Message == "with a message" {
				name = "R_MESSAGE`"
			} else {
				t.Fatalf("rustc: %s", m.Message)
			}
		}
		name, _, _ = strings.Cut(name, "`")
		want = append(want, fmt.Sprintf("%d %s", m.Spans[0].Line, name))
	}
	if len(want) < 20 {
		t.Fatalf("rustc found %d: %s", len(want), text)
	}
	var got []string
	for _, u := range cargo.EnvMacros([]byte(tricky)) {
		if !u.Optional {
			got = append(got, fmt.Sprintf("%d %s", u.Line, u.Name))
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("rustc (-) and the scan (+) differ:\n%s", d)
	}
	for _, u := range cargo.EnvMacros([]byte(tricky)) {
		line := []rune(strings.Split(tricky, "\n")[u.Line-1])
		if s := string(line[u.Col-1:]); !strings.HasPrefix(s, "env!") && !strings.HasPrefix(s, "option_env!") {
			t.Errorf("%s at column %d: %q", u.Name, u.Col, s)
		}
	}
}

func TestCheckEnv(t *testing.T) {
	for _, c := range []struct {
		name, files string
		flags       Flags
		want        string // of the error; empty for none
		hint        string
	}{
		{"nothing declares", app + "fn a() { env!(\"SSID\"); env!(\"WIFI_PASSWORD\"); }\n", Flags{},
			`src/main.rs:3:10: env!("SSID") needs a value when it is compiled, and nothing declares SSID; nor WIFI_PASSWORD at src/main.rs:3:24`,
			`printf '[build.env]\nSSID = "value"\nWIFI_PASSWORD = { secret = true }\n' >> espalier.toml`},
		{"cargo's own", app + "fn a() { env!(\"CARGO_PKG_NAME\"); env!(\"CARGO_MANIFEST_DIR\"); option_env!(\"X\"); }\n", Flags{}, "", ""},
		{"OUT_DIR without build script", app + "fn a() { env!(\"OUT_DIR\"); }\n", Flags{}, "OUT_DIR", ""},
		{"OUT_DIR with one", app + "fn a() { env!(\"OUT_DIR\"); }\n-- build.rs --\nfn main(){}\n", Flags{}, "", ""},
		{"[env]", app + "fn a() { env!(\"SSID\"); }\n-- .cargo/config.toml --\n[env]\nSSID = \"x\"\n", Flags{}, "", ""},
		{"espalier.toml, secret not set", app + "fn a() { env!(\"SSID\"); }\n-- espalier.toml --\n[build.env]\nSSID = { secret = true }\n", Flags{}, "", ""},
		{"espalier.toml has another", app + "fn a() { env!(\"SSID\"); }\n-- espalier.toml --\n[build.env]\nX = \"1\"\n", Flags{}, "SSID", `under [build.env] in espalier.toml add: SSID = "value"`},
		{"build script", app + "fn a() { env!(\"VER\"); }\n-- build.rs --\nfn main(){ println!(\"cargo:rustc-env=VER={}\", 1); }\n", Flags{}, "", ""},
		{"build script prints another", app + "fn a() { env!(\"VER\"); }\n-- build.rs --\nfn main(){ println!(\"cargo::rustc-env=REV={}\", 1); }\n", Flags{}, "VER", ""},
		{"build script computes names", app + "fn a() { env!(\"VER\"); }\n-- build.rs --\nfn main(){ println!(\"cargo::rustc-env={}={}\", 1, 2); }\n", Flags{}, "", ""},
		{"under a feature", app + "#[cfg(feature = \"wifi\")]\nconst S: &str = env!(\"SSID\");\n", Flags{}, "", ""},
		{"after a feature", app + "#[cfg(feature = \"wifi\")]\nconst S: &str = \"\";\nconst T: &str = env!(\"SSID\");\n", Flags{}, "src/main.rs:5:17", ""},
		{"other architecture", app + "#[cfg(target_arch = \"xtensa\")]\nfn f() { env!(\"SSID\"); }\n", Flags{}, "", ""},
		{"example not built", app + "-- examples/e.rs --\nfn a() { env!(\"SSID\"); }\n", Flags{}, "", ""},
		{"example built", app + "-- examples/e.rs --\nfn a() { env!(\"SSID\"); }\n", Flags{Example: "e"}, "examples/e.rs:1:10", ""},
		{"tests", app + "-- tests/e.rs --\nfn a() { env!(\"SSID\"); }\n", Flags{}, "", ""},
		{"member that is not built", strings.Replace(app, "[package]", "[workspace]\nmembers = [\"tool\"]\n[package]", 1) + "-- tool/Cargo.toml --\n[package]\nname = \"tool\"\nversion = \"0.1.0\"\n-- tool/src/main.rs --\nfn main() { env!(\"SSID\"); }\n", Flags{}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Open(unpack(t, c.files), Options{Flags: c.flags})
			if err != nil {
				t.Fatal(err)
			}
			err = p.CheckEnv()
			if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if c.hint != "" && (len(fault.Hints(err)) == 0 || fault.Hints(err)[0] != c.hint) {
				t.Errorf("hints %q", fault.Hints(err))
			}
		})
	}
}

func TestBuildVariables(t *testing.T) {
	dir := unpack(t, app+"-- espalier.toml --\n[build.env]\nSSID = \"net\"\nUSER = { from-env = true }\nPASS = { secret = true }\n")
	env := map[string]string{"USER": "me", "RUSTFLAGS": "-x"}
	asked := map[string]bool{}
	lookup := func(n string) (string, bool) { asked[n] = true; v, ok := env[n]; return v, ok }
	p, err := Open(dir, Options{Lookup: lookup})
	if err != nil {
		t.Fatal(err)
	}
	want := []BuildVar{{Name: "PASS", Secret: true, From: "PASS", Origin: config.Origin{File: "espalier.toml", Line: 4, Col: 1}}, {Name: "SSID", Value: "net", Set: true, Origin: config.Origin{File: "espalier.toml", Line: 2, Col: 1}},
		{Name: "USER", Value: "me", Set: true, FromEnv: true, Origin: config.Origin{File: "espalier.toml", Line: 3, Col: 1}}}
	if d := cmp.Diff(want, p.Espalier.Build.Env); d != "" {
		t.Error(d)
	}
	if err := p.CheckEnvValues(); err == nil || !strings.Contains(err.Error(), "espalier.toml:4:1: PASS") {
		t.Error(err)
	}
	for n := range asked {
		if !strings.HasPrefix(n, "ESPALIER_") && n != "USER" && n != "PASS" {
			t.Errorf("the environment was asked for %s", n)
		}
	}
	env["PASS"] = "hunter2"
	if p, err = Open(dir, Options{Lookup: lookup}); err != nil || p.CheckEnvValues() != nil {
		t.Fatal(err, p.CheckEnvValues())
	}
	for _, s := range p.Espalier.Explain() {
		if strings.Contains(fmt.Sprint(s), "hunter2") {
			t.Errorf("the secret shows: %+v", s)
		}
	}
}
