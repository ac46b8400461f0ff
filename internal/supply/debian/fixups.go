package debian

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// mountPoints are directories that the sandbox mounts on or fills.
var mountPoints = []string{
	"src", "cargo", "target", "out", "tmp", "proc", "dev", "sys", "run", "root", "home/espalier", "var/tmp", "etc/espalier",
	"usr/bin", "usr/sbin", "usr/lib", "usr/lib64",
}

// accounts are the files that maintainer scripts would have made and that
// programs of the closure read.
var accounts = []struct{ name, content string }{
	{"etc/passwd", "root:x:0:0:root:/root:/usr/sbin/nologin\nespalier:x:1000:1000:espalier:/home/espalier:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
	{"etc/group", "root:x:0:\nespalier:x:1000:\nnogroup:x:65534:\n"},
	{"etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"},
	{"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
}

var (
	lldName       = regexp.MustCompile(`^ld\.lld-[0-9]+$`)
	rustPrivate   = regexp.MustCompile(`^usr/lib/rust-[0-9.]+$`)
	toolsOfRustup = []string{"rustc", "cargo", "rustdoc", "rustfmt", "cargo-fmt", "cargo-clippy", "clippy-driver"}
)

// fixUp adds what maintainer scripts would have made and a build needs: the
// usr-merge links, accounts, mount points, and names of tools. seen has the
// paths of all packages, so the result does not depend on the order in which
// they were unpacked.
func fixUp(ctx context.Context, to Sink, seen *pathRecorder) error {
	for _, d := range mountPoints {
		if err := to.Dir(d); err != nil {
			return err
		}
	}
	for _, d := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := to.Symlink(d, "usr/"+d); err != nil {
			return err
		}
	}
	for _, a := range accounts {
		if seen.has(a.name) {
			continue
		}
		if _, err := to.File(ctx, a.name, false, strings.NewReader(a.content)); err != nil {
			return err
		}
	}
	return links(to, seen)
}

// links adds the names of tools that alternatives or meta packages would add.
func links(to Sink, seen *pathRecorder) error {
	add := func(name, target string) error {
		if seen.has("usr/bin/" + name) {
			return nil
		}
		return to.Symlink("usr/bin/"+name, target)
	}
	if seen.has("usr/bin/gcc") {
		if err := add("cc", "gcc"); err != nil {
			return err
		}
	}
	// The bare-metal targets use "rust-lld" as their linker.
	version := ""
	for _, name := range seen.in("usr/bin") {
		if lldName.MatchString(name) {
			version = strings.TrimPrefix(name, "ld.lld")
		}
	}
	for _, l := range []struct{ name, target string }{{"lld", "lld"}, {"ld.lld", "ld.lld"}, {"rust-lld", "lld"}} {
		switch {
		case version != "":
			if err := add(l.name, l.target+version); err != nil {
				return err
			}
		case l.name != l.target && seen.has("usr/bin/"+l.target):
			if err := add(l.name, l.target); err != nil {
				return err
			}
		}
	}
	// In suites with several compilers, each has a separate directory.
	for _, full := range slices.Sorted(maps.Keys(seen.names)) {
		dir, bin, ok := strings.Cut(full, "/bin/")
		if !ok || !rustPrivate.MatchString(dir) {
			continue
		}
		for _, tool := range toolsOfRustup {
			if bin == tool {
				if err := add(tool, "../"+strings.TrimPrefix(dir, "usr/")+"/bin/"+tool); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
