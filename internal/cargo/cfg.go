package cargo

import (
	"fmt"
	"strings"
)

// cfgSet is what rustc --print cfg says: "name" or `key="value"`.
type cfgSet map[string]bool

// targetCfg is the set for a triple. For riscv32imc-unknown-none-elf it is
// what rustc 1.95 prints, for others what follows from the parts of the triple.
func targetCfg(triple string) cfgSet {
	s := cfgSet{"debug_assertions": true, `panic="unwind"`: true}
	words := strings.Split(triple, "-")
	for len(words) < 3 {
		words = append(words, "unknown")
	}
	arch, os := words[0], words[2]
	if len(words) == 3 && strings.HasPrefix(os, "eabi") {
		os = "none"
	}
	features := ""
	for _, bits := range []string{"riscv32", "riscv64"} {
		if ext, ok := strings.CutPrefix(arch, bits); ok {
			arch = bits
			features = strings.ReplaceAll(ext, "g", "imafd")
		}
	}
	width := "32"
	if strings.Contains(arch, "64") {
		width = "64"
	}
	for _, kv := range [][2]string{{"target_arch", arch}, {"target_os", os}, {"target_vendor", words[1]},
		{"target_endian", "little"}, {"target_pointer_width", width}, {"target_abi", ""}, {"target_env", ""}} {
		s.pair(kv[0], kv[1])
	}
	for _, f := range features {
		s.feature(string(f), true)
	}
	switch os {
	case "none":
		s[`panic="unwind"`] = false
		s.pair("panic", "abort")
	case "linux", "macos", "espidf":
		s["unix"] = true
		s.pair("target_family", "unix")
	case "windows":
		s["windows"] = true
		s.pair("target_family", "windows")
	}
	if triple == DefaultTarget { // printed under RUSTC_BOOTSTRAP only, which build-std sets
		for _, w := range []string{"8", "16", "32", "ptr"} {
			s.pair("target_has_atomic_load_store", w)
		}
		s["target_has_atomic_load_store"] = true
	}
	return s
}

func (s cfgSet) pair(k, v string) { s[k+`="`+v+`"`] = true }

// feature switches a target feature and, when it is turned on, the features that it implies.
func (s cfgSet) feature(name string, on bool) {
	if name == "i" || name == "e" { // the base, never printed
		return
	}
	s[`target_feature="`+name+`"`] = on
	if !on {
		return
	}
	switch name {
	case "c":
		s.pair("target_feature", "zca")
	case "a":
		s.pair("target_feature", "zaamo")
		s.pair("target_feature", "zalrsc")
	}
}

// with adds what flags change: --cfg, -C target-feature, -C panic.
func (s cfgSet) with(flags []string) cfgSet {
	out := cfgSet{}
	for k, v := range s {
		out[k] = v
	}
	for i, f := range flags {
		next := ""
		if i+1 < len(flags) {
			next = flags[i+1]
		}
		if v, ok := strings.CutPrefix(f, "--cfg="); ok {
			out[strings.ReplaceAll(v, " ", "")] = true
		} else if f == "--cfg" {
			out[strings.ReplaceAll(next, " ", "")] = true
		}
		codegen := strings.TrimPrefix(f, "-C")
		if f == "-C" || f == "--codegen" {
			codegen = next
		} else if codegen == f {
			continue
		}
		if v, ok := strings.CutPrefix(codegen, "target-feature="); ok {
			for _, feat := range strings.Split(v, ",") {
				if len(feat) > 1 {
					out.feature(feat[1:], feat[0] == '+')
				}
			}
		}
		if v, ok := strings.CutPrefix(codegen, "panic="); ok {
			out[`panic="abort"`], out[`panic="unwind"`] = v == "abort", v == "unwind"
		}
	}
	return out
}

// matchCfg evaluates a [target.'cfg(...)'] key. A key that does not parse
// matches nothing, as in cargo; the error says why.
func matchCfg(key string, set cfgSet) (bool, error) {
	inner, ok := strings.CutPrefix(key, "cfg(")
	if !ok || !strings.HasSuffix(inner, ")") {
		return false, fmt.Errorf("%q: want cfg(...)", key)
	}
	p := &cfgParser{s: strings.TrimSuffix(inner, ")")}
	v := p.expr(set, 0)
	if p.err == nil {
		if p.space(); p.s != "" {
			p.fail("unexpected %q after the expression", p.s)
		}
	}
	if p.err != nil {
		return false, fmt.Errorf("%q: %w", key, p.err)
	}
	return v, nil
}

// cfgParser evaluates while it reads: all(), any(), not(), name, key = "value",
// true and false. Only the space character separates, as in cargo.
type cfgParser struct {
	s   string
	err error
}

const maxCfgDepth = 128

func (p *cfgParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func (p *cfgParser) space() { p.s = strings.TrimLeft(p.s, " ") }

func (p *cfgParser) eat(c byte) bool {
	p.space()
	if p.err != nil || p.s == "" || p.s[0] != c {
		return false
	}
	p.s = p.s[1:]
	return true
}

func (p *cfgParser) need(c byte) {
	if !p.eat(c) {
		p.fail("want %q at %q", string(c), p.s)
	}
}

func (p *cfgParser) ident() (name string, raw bool) {
	p.space()
	if rest, ok := strings.CutPrefix(p.s, "r#"); ok {
		p.s, raw = rest, true
	}
	n := 0
	for n < len(p.s) && (p.s[n] == '_' || p.s[n]|0x20 >= 'a' && p.s[n]|0x20 <= 'z' || n > 0 && p.s[n] >= '0' && p.s[n] <= '9') {
		n++
	}
	if n == 0 {
		p.fail("want a name at %q", p.s)
	}
	name, p.s = p.s[:n], p.s[n:]
	return name, raw
}

func (p *cfgParser) expr(set cfgSet, depth int) bool {
	if depth > maxCfgDepth {
		p.fail("nested deeper than %d", maxCfgDepth)
	}
	name, raw := p.ident()
	if p.err != nil {
		return false
	}
	switch {
	case !raw && (name == "all" || name == "any"):
		p.need('(')
		all, some := true, false
		for p.err == nil && !p.eat(')') {
			v := p.expr(set, depth+1)
			all, some = all && v, some || v
			if !p.eat(',') {
				p.need(')')
				break
			}
		}
		if name == "all" {
			return all
		}
		return some
	case !raw && name == "not":
		p.need('(')
		v := p.expr(set, depth+1)
		p.need(')')
		return !v
	}
	if p.eat('=') {
		p.space()
		if !strings.HasPrefix(p.s, `"`) {
			p.fail("want a string at %q", p.s)
			return false
		}
		end := strings.IndexByte(p.s[1:], '"')
		if end < 0 {
			p.fail("string without end")
			return false
		}
		v := p.s[1 : 1+end]
		p.s = p.s[end+2:]
		return set[name+`="`+v+`"`]
	}
	switch name { // r#true too: cargo compares the bare name
	case "true":
		return true
	case "false":
		return false
	}
	return set[name]
}
