package firmware

import (
	pathpkg "path"
	"strings"
)

// ShortPath makes a source path readable on any machine. The first rule that
// fits decides:
//
//	standard library   …/library/core/src/fmt/mod.rs                  library/core/src/fmt/mod.rs
//	its dependencies   /rust/deps/hashbrown-0.15.2/src/lib.rs         hashbrown-0.15.2/src/lib.rs
//	registry crate     …/registry/src/<index>/esp-hal-1.2.2/src/a.rs  esp-hal-1.2.2/src/a.rs
//	git crate          …/git/checkouts/<name>-<hash>/<commit>/src/a.rs  <name>/src/a.rs
//	the user's project <a project prefix>/src/main.rs                 src/main.rs
//
// Everything else stays as it is. project lists the prefixes of the last rule.
//
// Detours inside a path ("src/../../stdarch") are taken out first.
func ShortPath(path string, project ...string) string {
	p := strings.ReplaceAll(path, `\`, "/")
	if strings.Contains(p, "/../") || strings.Contains(p, "/./") {
		p = pathpkg.Clean(p)
		path = p
	}
	if s, ok := stdPath(p); ok {
		return s
	}
	if _, rest, ok := cutLast(p, "/rust/deps/"); ok {
		return rest
	}
	if _, rest, ok := cutLast(p, "/registry/src/"); ok {
		if _, rest, ok := strings.Cut(rest, "/"); ok {
			return rest
		}
	}
	if _, rest, ok := cutLast(p, "/git/checkouts/"); ok {
		if s, ok := gitPath(rest); ok {
			return s
		}
	}
	for _, prefix := range project {
		if rest, ok := strings.CutPrefix(p, strings.TrimSuffix(prefix, "/")+"/"); ok && prefix != "" {
			return rest
		}
	}
	return path
}

// stdPath recognises the standard library wherever it was built: /rustc/<hash>
// in official builds, /usr/src/rustc-<version> or /usr/lib/rustlib/src/rust in
// a distribution's.
func stdPath(p string) (string, bool) {
	head, rest, ok := cutLast(p, "/library/")
	if !ok {
		return "", false
	}
	crate, _, _ := strings.Cut(rest, "/")
	switch crate {
	case "core", "alloc", "std", "compiler-builtins", "panic_abort", "panic_unwind", "proc_macro", "test", "portable-simd", "stdarch", "backtrace", "unwind", "coretests", "alloctests", "rustc-std-workspace-core":
	default:
		return "", false
	}
	if strings.Contains(head, "rust") || head == "" {
		return "library/" + rest, true
	}
	return "", false
}

// gitPath shortens "<name>-<16 hex>/<commit>/<path>".
func gitPath(rest string) (string, bool) {
	checkout, rest, ok := strings.Cut(rest, "/")
	if !ok {
		return "", false
	}
	_, rest, ok = strings.Cut(rest, "/")
	if !ok {
		return "", false
	}
	if i := strings.LastIndexByte(checkout, '-'); i > 0 && isHex(checkout[i+1:], 16) {
		checkout = checkout[:i]
	}
	return checkout + "/" + rest, true
}

func isHex(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+len(sep):], true
}

// joinPath joins a directory and a name as the compiler meant it. It keeps
// the host's own style: a path from Windows stays one.
func joinPath(dir, name string) string {
	if dir == "" || isAbs(name) {
		return name
	}
	if name == "" {
		return dir
	}
	sep := "/"
	if !strings.Contains(dir, "/") && strings.Contains(dir, `\`) {
		sep = `\`
	}
	if strings.HasSuffix(dir, sep) {
		return dir + name
	}
	return dir + sep + name
}

func isAbs(p string) bool {
	return strings.HasPrefix(p, "/") || strings.HasPrefix(p, `\`) || (len(p) > 2 && p[1] == ':' && (p[2] == '\\' || p[2] == '/'))
}
