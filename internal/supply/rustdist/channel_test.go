package rustdist

import (
	"strings"
	"testing"

	"espalier.dev/espalier/internal/fault"
)

func TestParseChannel(t *testing.T) {
	const host = "x86_64-unknown-linux-gnu"
	for _, tc := range []struct{ name, want, path string }{
		{"", "stable", "dist/channel-rust-stable.toml"},
		{"stable", "stable", "dist/channel-rust-stable.toml"},
		{"beta", "beta", "dist/channel-rust-beta.toml"},
		{"nightly-2026-05-20", "nightly-2026-05-20", "dist/2026-05-20/channel-rust-nightly.toml"},
		{"nightly-2026-05-20-" + host, "nightly-2026-05-20", "dist/2026-05-20/channel-rust-nightly.toml"},
		{"stable-" + host, "stable", "dist/channel-rust-stable.toml"},
		{"1.85", "1.85", "dist/channel-rust-1.85.toml"},
		{"1.85.0", "1.85.0", "dist/channel-rust-1.85.0.toml"},
		{"1.85.0-" + host, "1.85.0", "dist/channel-rust-1.85.0.toml"},
		{"1.86.0-beta.2", "1.86.0-beta.2", "dist/channel-rust-1.86.0-beta.2.toml"},
		{"stable-2024-05-02", "stable-2024-05-02", "dist/2024-05-02/channel-rust-stable.toml"},
	} {
		got, err := ParseChannel(tc.name, host, "")
		if err != nil || got.String() != tc.want || got.path() != tc.path {
			t.Errorf("%q: %v at %s, %v; want %s at %s", tc.name, got, got.path(), err, tc.want, tc.path)
		}
	}
	for _, tc := range []struct{ name, want string }{
		{"esp", "Xtensa"},
		{"nightly-2026-5-2", "want stable"},
		{"Nightly", "want stable"},
		{"1", "want stable"},
		{"nightly/../../x", "want stable"},
		{"stable-aarch64-apple-darwin", "is for the host aarch64-apple-darwin"},
	} {
		_, err := ParseChannel(tc.name, host, "rust-toolchain.toml:2")
		if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "rust-toolchain.toml:2") {
			t.Errorf("%q: %v; want %q", tc.name, err, tc.want)
		}
	}
	for name, want := range map[string]bool{"stable": true, "nightly": true, "1.85": true, "1.85.0": false, "nightly-2026-05-20": false} {
		if c, err := ParseChannel(name, host, ""); err != nil || c.Moving() != want {
			t.Errorf("%s: moving %t, %v", name, c.Moving(), err)
		}
	}
}
