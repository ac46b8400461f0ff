package rustdist

import (
	"fmt"
	"regexp"
	"strings"

	"espalier.dev/espalier/internal/fault"
)

// Channel is a parsed toolchain name without its host triple.
type Channel struct {
	Name string // "stable", "beta", "nightly", "1.85", "1.85.0", "1.86.0-beta.2"
	Date string // "2026-05-20" of a dated channel, else empty
}

// Channels that only a vendor's own installer has. They are refused by name,
// with the reason, because they are common in projects for other chips.
const espressifChannel = "esp"

var (
	channelName = regexp.MustCompile(`^(stable|beta|nightly|[0-9]+\.[0-9]+(?:\.[0-9]+)?(?:-beta(?:\.[0-9]+)?)?)` +
		`(?:-([0-9]{4}-[0-9]{2}-[0-9]{2}))?(?:-(.+))?$`)
	triple = regexp.MustCompile(`^[a-z][a-z0-9_]*-[a-z0-9_]+-[a-z0-9_]+(-[a-z0-9_]+)?$`)
)

// ParseChannel parses a toolchain name as rustup accepts it in
// rust-toolchain.toml: CHANNEL[-DATE][-HOST]. A host other than the current one
// is an error: its compiler cannot run here. where is the location of the name
// for errors ("rust-toolchain.toml:2") and may be empty.
func ParseChannel(name, host, where string) (Channel, error) {
	if where != "" {
		where = " (" + where + ")"
	}
	if name == "" {
		return Channel{Name: "stable"}, nil
	}
	if name == espressifChannel {
		return Channel{}, fault.New(fault.Usage, `channel "esp"`+where+" is Espressif's compiler for Xtensa chips; the ESP32-C3 is RISC-V and needs none",
			`channel = "stable"`)
	}
	m := channelName.FindStringSubmatch(name)
	if m == nil || m[3] != "" && !triple.MatchString(m[3]) {
		return Channel{}, fault.New(fault.Usage, fmt.Sprintf("channel %q%s: want stable, beta, nightly, nightly-YYYY-MM-DD or a version such as 1.85.0", name, where))
	}
	if m[3] != "" && m[3] != host {
		return Channel{}, fault.New(fault.Usage, fmt.Sprintf("channel %q%s is for the host %s, and this one is %s", name, where, m[3], host),
			fmt.Sprintf("channel = %q", strings.TrimSuffix(name, "-"+m[3])))
	}
	return Channel{Name: m[1], Date: m[2]}, nil
}

// String formats the channel like rustup.
func (c Channel) String() string {
	if c.Date == "" {
		return c.Name
	}
	return c.Name + "-" + c.Date
}

// Moving reports whether the same name will refer to another compiler later.
func (c Channel) Moving() bool {
	return c.Date == "" && (c.Name == "stable" || c.Name == "beta" || c.Name == "nightly" || strings.Count(c.Name, ".") == 1)
}

// path is the manifest's location below a server.
func (c Channel) path() string {
	dir := "dist/"
	if c.Date != "" {
		dir += c.Date + "/"
	}
	return dir + "channel-rust-" + c.Name + ".toml"
}

// Triple returns the host triple of the distribution for a platform as Go
// names it ("linux/amd64"), and false for one that has none.
func Triple(platform string) (string, bool) {
	t, ok := map[string]string{
		"linux/amd64":   "x86_64-unknown-linux-gnu",
		"linux/arm64":   "aarch64-unknown-linux-gnu",
		"linux/386":     "i686-unknown-linux-gnu",
		"linux/arm":     "armv7-unknown-linux-gnueabihf",
		"linux/riscv64": "riscv64gc-unknown-linux-gnu",
		"linux/ppc64le": "powerpc64le-unknown-linux-gnu",
		"linux/s390x":   "s390x-unknown-linux-gnu",
		"linux/loong64": "loongarch64-unknown-linux-gnu",
	}[platform]
	return t, ok
}
