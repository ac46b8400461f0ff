package build

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/store"
)

// hostPaths translates paths inside a step to those of this machine: the
// project's own files, and the unpacked crates, standard library and dependency
// layer in the store.
type hostPaths struct{ places []hostPlace }

// hostPlace is a directory inside and its counterpart, which may lack what the
// step itself wrote: then only existing files are translated.
type hostPlace struct {
	inside, host string
	partial      bool
}

// hostPaths returns the translation for the steps of a plan. layers are trees at
// /target, zero for none; paths that they do not have stay as they are.
func (r Runner) hostPaths(pl Plan, layers ...store.Digest) hostPaths {
	h := hostPaths{places: []hostPlace{{inside: layout.Src, host: pl.root}}}
	add := func(inside string, root store.Digest, below string) {
		if root.IsZero() {
			return
		}
		if dir, ok := r.Store.Unverified(root); ok {
			h.places = append(h.places, hostPlace{inside, filepath.Join(dir, filepath.FromSlash(below)), true})
		}
	}
	add(layout.Vendor, inputTree(pl.check, layout.InputVendor), "")
	add(layout.Checkouts, inputTree(pl.check, layout.InputGit), "")
	for _, layer := range layers {
		add(layout.Target, layer, "")
	}
	for _, dir := range []string{"usr/lib/rustlib", "usr/src"} { // of the standard library
		add("/"+dir, inputTree(pl.check, layout.InputRootfs), dir)
	}
	return h
}

// absolutePath matches an absolute path at the beginning of a word.
var absolutePath = regexp.MustCompile("(^|[\\s\"'`(\\[=:,<>|]|\\x1b\\[[0-9;]*m)(/[^\\s\"'`()\\[\\]=:,<>|#\\x1b]+)")

const fileURL = "file://"

// text translates every path in s.
func (h hostPaths) text(s string) string {
	if i := strings.Index(s, fileURL+"/"); i >= 0 { // a package: path+file:///src/app#0.1.0
		end := i + len(fileURL)
		for end < len(s) && s[end] != '#' && s[end] != '?' {
			end++
		}
		before := s[i+len(fileURL) : end]
		after := h.path(before)
		if after == before {
			return s
		}
		u := url.URL{Scheme: "file", Path: filepath.ToSlash(after)}
		return s[:i] + u.String() + s[end:]
	}
	if !strings.Contains(s, "/") {
		return s
	}
	return absolutePath.ReplaceAllStringFunc(s, func(m string) string {
		at := strings.IndexByte(m, '/')
		return m[:at] + h.path(m[at:])
	})
}

// path translates one absolute path.
func (h hostPaths) path(p string) string {
	for _, place := range h.places {
		rest, ok := strings.CutPrefix(p, place.inside)
		if !ok || rest != "" && rest[0] != '/' {
			continue
		}
		host := strings.TrimSuffix(place.host, string(filepath.Separator)) + filepath.FromSlash(rest)
		if place.partial {
			if _, err := os.Lstat(host); err != nil {
				continue
			}
		}
		return host
	}
	return p
}

// message translates the strings of a JSON message and leaves everything else
// as it is, byte for byte.
func (h hostPaths) message(line []byte) []byte { return mapStrings(line, h.text) }

// mapStrings replaces the string literals of a JSON text.
func mapStrings(text []byte, f func(string) string) []byte {
	out := make([]byte, 0, len(text)+len(text)/4)
	for len(text) > 0 {
		at := bytes.IndexByte(text, '"')
		if at < 0 {
			break
		}
		end := at + 1
		for end < len(text) && text[end] != '"' {
			if text[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(text) {
			break
		}
		out = append(out, text[:at]...)
		literal := text[at : end+1]
		text = text[end+1:]
		var s string
		if json.Unmarshal(literal, &s) == nil {
			if changed := f(s); changed != s {
				var b bytes.Buffer
				enc := json.NewEncoder(&b)
				enc.SetEscapeHTML(false)
				_ = enc.Encode(changed) // a string
				literal = bytes.TrimRight(b.Bytes(), "\n")
			}
		}
		out = append(out, literal...)
	}
	return append(out, text...)
}
