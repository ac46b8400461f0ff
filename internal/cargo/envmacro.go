package cargo

import (
	"bytes"
	"strings"
)

// EnvMacro is one env!("NAME") or option_env!("NAME") in Rust source.
type EnvMacro struct {
	Name        string
	Optional    bool // option_env!
	Conditional bool // under a #[cfg(…)] that the source alone does not decide: a feature, a build script's cfg
	Line, Col   int  // of the macro's name, 1-based, in characters
}

// EnvMacros returns the macros of one source file that a build for the chip
// may expand, in the order of the text. Code that cfg attributes exclude from
// such a build, for example #[cfg(test)], is left out.
func EnvMacros(src []byte) []EnvMacro {
	if !bytes.Contains(src, []byte("env!")) && !bytes.Contains(src, []byte("env !")) {
		return nil
	}
	ts := tokens(src)
	off, maybe := cfgRanges(ts)
	var out []EnvMacro
	for i := 0; i+3 < len(ts); i++ {
		t := ts[i]
		if t.kind != tokenIdent || t.text != "env" && t.text != "option_env" || off[i] {
			continue
		}
		open := ts[i+2]
		if ts[i+1].kind != tokenPunct || ts[i+1].text != "!" || open.kind != tokenPunct ||
			!strings.Contains("([{", open.text) || ts[i+3].kind != tokenString {
			continue
		}
		if name := ts[i+3].text; name != "" {
			out = append(out, EnvMacro{name, t.text == "option_env", maybe[i], t.line, t.col})
		}
	}
	return out
}

// Strings returns the values of all string literals of one source file, in the
// order of the text.
func Strings(src []byte) []string {
	var out []string
	for _, t := range tokens(src) {
		if t.kind == tokenString {
			out = append(out, t.text)
		}
	}
	return out
}

func tokens(src []byte) []token {
	var out []token
	for x := newLexer(src); ; {
		t, ok := x.next()
		if !ok {
			return out
		}
		out = append(out, t)
	}
}
