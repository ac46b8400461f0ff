package cargo

import (
	"bytes"
	"encoding/hex"
	"net/url"
	"strings"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/tomldoc"
)

// newestLock is the highest Cargo.lock version that is understood.
const newestLock = 4

// ParseLock reads a Cargo.lock; name is the file in the origins and in messages.
func ParseLock(name string, b []byte) (*Lock, error) {
	root, err := tomldoc.Parse(name, b)
	if err != nil {
		return nil, lockFault(name, b, err)
	}
	r := &tomldoc.Reader{}
	l := &Lock{Path: name, Bytes: b}
	l.Version = int(r.Int(root, "version"))
	if v := root.Get("version"); r.Err() == nil && v != nil && (v.Int > newestLock || v.Int < 1) {
		return nil, fault.Wrap(fault.Usage, v.Errorf("Cargo.lock version %d is newer than this espalier reads (%d)", v.Int, newestLock), "",
			"cargo +stable generate-lockfile", "or use a newer espalier")
	}
	for _, p := range r.Tables(root, "package") {
		l.Packages = append(l.Packages, lockedPackage(r, p))
	}
	if u := r.Table(root, "patch"); u != nil {
		for _, p := range r.Tables(u, "unused") {
			l.Unused = append(l.Unused, lockedPackage(r, p))
		}
	}
	if old := r.Table(root, "root"); old != nil { // before version 1 had a name: the project's own entry
		l.Packages = append(l.Packages, lockedPackage(r, old))
	}
	if meta := r.Table(root, "metadata"); meta != nil && r.Err() == nil {
		l.oldChecksums(meta, r)
	}
	if l.Version == 0 { // cargo writes no number for 1 and 2; only 1 keeps checksums in [metadata]
		l.Version = 2
		if root.Get("metadata") != nil || root.Get("root") != nil {
			l.Version = 1
		}
	}
	l.check(r, root)
	if r.Err() != nil {
		return nil, lockFault(name, b, r.Err())
	}
	return l, nil
}

// lockFault recognises the commonest reason for a lock that does not parse.
func lockFault(name string, b []byte, err error) error {
	hint := "git checkout -- " + name
	if bytes.Contains(b, []byte("<<<<<<<")) {
		hint = "settle the merge conflict in " + name
	}
	return fault.Wrap(fault.Usage, err, "", hint)
}

func lockedPackage(r *tomldoc.Reader, t *tomldoc.Node) LockedPackage {
	p := LockedPackage{Name: r.String(t, "name"), Version: r.String(t, "version"), Source: r.String(t, "source"),
		Checksum: r.String(t, "checksum"), Dependencies: r.Strings(t, "dependencies"), Origin: config.At(t.File(), t.Pos)}
	if r.Err() == nil && (p.Name == "" || p.Version == "") {
		r.Fail(t.Errorf("package without name or version"))
	}
	if p.Checksum == "<none>" {
		p.Checksum = ""
	}
	return p
}

// oldChecksums takes the checksums of version 1 out of [metadata]:
// "checksum <name> <version> (<source>)" = "<hex>".
func (l *Lock) oldChecksums(meta *tomldoc.Node, r *tomldoc.Reader) {
	sums := map[string]string{}
	for _, k := range meta.Keys {
		if rest, ok := strings.CutPrefix(k.Name, "checksum "); ok && k.Value.Kind == tomldoc.String {
			sums[rest] = k.Value.Text
		}
	}
	for i := range l.Packages {
		p := &l.Packages[i]
		if s := sums[p.Name+" "+p.Version+" ("+p.Source+")"]; p.Checksum == "" && s != "<none>" {
			p.Checksum = s
		}
	}
}

func (l *Lock) check(r *tomldoc.Reader, root *tomldoc.Node) {
	seen := map[[3]string]bool{}
	for _, p := range l.Packages {
		pos := tomldoc.Pos{Line: p.Origin.Line, Col: p.Origin.Col}
		id := [3]string{p.Name, p.Version, p.Source}
		if seen[id] {
			r.Fail(root.ErrorAt(pos, "package %s %s appears twice", p.Name, p.Version))
		}
		seen[id] = true
		if p.Checksum != "" {
			if raw, err := hex.DecodeString(p.Checksum); err != nil || len(raw) != 32 {
				r.Fail(root.ErrorAt(pos, "checksum of %s %s: want 64 hex digits, found %q", p.Name, p.Version, p.Checksum))
			}
		}
		if _, ok := p.IsRegistry(); !ok && p.Source != "" && !strings.HasPrefix(p.Source, "git+") &&
			!strings.HasPrefix(p.Source, "directory+") && !strings.HasPrefix(p.Source, "local-registry+") && !strings.HasPrefix(p.Source, "path+") {
			r.Fail(root.ErrorAt(pos, "source of %s %s: unknown kind %q", p.Name, p.Version, p.Source))
		}
	}
}

func registryIndex(s string) (string, bool) {
	if u, ok := strings.CutPrefix(s, "registry+"); ok {
		return u, true
	}
	if strings.HasPrefix(s, "sparse+") {
		return s, true // the prefix is part of a sparse index's name
	}
	return "", false
}

// parseGitSource splits "git+<url>?<ref>#<commit>". Version 4 of the lock
// percent-encodes the reference; earlier ones write it raw, in which a "%" or
// "+" is literal. Both are decoded by the same rule, because a raw
// reference that happens to be valid percent-encoding cannot be distinguished:
// cargo itself decodes any version with the URL standard's form decoder.
func parseGitSource(s string) (GitSource, bool) {
	rest, ok := strings.CutPrefix(s, "git+")
	if !ok {
		return GitSource{}, false
	}
	var g GitSource
	rest, g.Commit, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	g.URL = rest
	for _, kv := range strings.Split(query, "&") {
		k, v, _ := strings.Cut(kv, "=")
		if dec, err := url.QueryUnescape(v); err == nil {
			v = dec
		}
		switch k {
		case "rev", "tag", "branch":
			g.Ref = k + "=" + v
		case "ref": // before 2018: any reference
			g.Ref = "rev=" + v
		}
	}
	return g, true
}
