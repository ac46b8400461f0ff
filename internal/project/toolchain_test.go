package project

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A toolchain file above the project decides when it is in the same
// repository: every clone has it. Without a repository it does not.
func TestToolchainOfRepository(t *testing.T) {
	for _, repository := range []bool{true, false} {
		top := t.TempDir()
		write := func(name, text string) {
			path := filepath.Join(top, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write("rust-toolchain.toml", "[toolchain]\nchannel = \"1.97.1\"\n")
		write("firmware/Cargo.toml", "[package]\nname = \"f\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nesp-hal = { version = \"1\", features = [\"esp32c3\"] }\n")
		write("firmware/src/main.rs", "fn main() {}\n")
		if repository {
			write(".git/HEAD", "ref: refs/heads/main\n")
			write(".git/config", "")
			write(".git/objects/.keep", "")
			write(".git/refs/heads/.keep", "")
		}
		p, err := Open(filepath.Join(top, "firmware"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		want := "stable"
		if repository {
			want = "1.97.1"
		}
		if got := p.Toolchain.Channel.V; got != want {
			t.Errorf("repository %t: channel %s, want %s", repository, got, want)
		}
		noted := false
		for _, n := range p.Notes {
			noted = noted || strings.Contains(n.String(), "not applied")
		}
		if noted == repository {
			t.Errorf("repository %t: notes %v", repository, p.Notes)
		}
	}
}

// A member's own toolchain file does not count for another member, and that is
// said with its place.
func TestToolchainsOfMembers(t *testing.T) {
	dir := unpack(t, `
-- Cargo.toml --
[workspace]
members = ["new", "old", "same", "plain"]
-- rust-toolchain.toml --
[toolchain]
channel = "stable"
-- new/Cargo.toml --
[package]
name = "new"
version = "0.1.0"
-- new/src/main.rs --
-- old/Cargo.toml --
[package]
name = "old"
version = "0.1.0"
-- old/src/main.rs --
-- old/rust-toolchain --
nightly-2023-11-14
-- same/Cargo.toml --
[package]
name = "same"
version = "0.1.0"
-- same/src/main.rs --
-- same/rust-toolchain.toml --
[toolchain]
channel = "stable"
-- plain/Cargo.toml --
[package]
name = "plain"
version = "0.1.0"
-- plain/src/main.rs --
`)
	for _, c := range []struct{ pkg, channel, note string }{
		{"new", "stable", "old/rust-toolchain:1:1: channel nightly-2023-11-14 of package old does not apply: the workspace has one lock, with channel stable (rust-toolchain.toml)"},
		{"old", "nightly-2023-11-14", "channel stable of package new does not apply: the workspace has one lock, with channel nightly-2023-11-14 (old/rust-toolchain)"},
	} {
		p, err := Open(dir, Options{Package: c.pkg})
		if err != nil {
			t.Fatal(err)
		}
		if p.Toolchain.Channel.V != c.channel {
			t.Errorf("%s: channel %s", c.pkg, p.Toolchain.Channel.V)
		}
		n := 0
		for _, note := range p.Notes {
			if strings.Contains(note.String(), c.note) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s: notes %v", c.pkg, p.Notes)
		}
	}
}
