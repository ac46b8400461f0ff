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
