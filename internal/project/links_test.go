package project

import "testing"

func TestLinksResolve(t *testing.T) {
	l := Links{"fw": "real/fw", "real/fw/src": "../../common/src", "a": "b", "b": "a", "out": "../x", "main.rs": "other.rs", "up/here": ".."}
	for name, want := range map[string]string{
		"plain/file.rs":   "plain/file.rs",
		"fw/Cargo.toml":   "real/fw/Cargo.toml",
		"fw/src/main.rs":  "common/src/main.rs",
		"a/x":             "a/x",     // a circle
		"out/x":           "out/x",   // leaves the tree
		"main.rs":         "main.rs", // the link itself
		"fw":              "fw",      // likewise
		"up/here/fw/x.rs": "real/fw/x.rs",
	} {
		if got := l.Resolve(name); got != want {
			t.Errorf("Resolve(%q) = %q, want %q", name, got, want)
		}
	}
	if got := (Links{}).Resolve("a/b"); got != "a/b" {
		t.Errorf("without links: %q", got)
	}
}
