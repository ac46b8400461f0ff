package cargo

import "slices"

// Unstable is one name of #![feature(…)] at the top of a crate.
type Unstable struct {
	Name string
	Line int // of the name, 1-based
}

// UnstableFeatures returns the features of rustc that a crate root asks for, in
// the order of the text: those of #![feature(…)], and of #![cfg_attr(…,
// feature(…))] when its condition holds for a package with the enabled features.
// A condition that depends on more than features, such as a build script's cfg,
// does not hold.
//
//	UnstableFeatures([]byte("#![no_std]\n#![feature(c_variadic)]\n"), nil) // {c_variadic 2}
func UnstableFeatures(src []byte, enabled []string) []Unstable {
	var out []Unstable
	ts := tokens(src)
	for len(ts) > 3 && isPunct(ts[0], "#") && isPunct(ts[1], "!") && isPunct(ts[2], "[") {
		end := closing(ts, 2)
		out = append(out, unstableOf(ts[3:end], enabled, 0)...)
		ts = ts[end+1:]
	}
	return out
}

func isPunct(t token, text string) bool { return t.kind == tokenPunct && t.text == text }

// unstableOf reads one attribute without its brackets.
func unstableOf(attr []token, enabled []string, depth int) []Unstable {
	if len(attr) < 3 || attr[0].kind != tokenIdent || !isPunct(attr[1], "(") || depth > maxCfgDepth {
		return nil
	}
	args := arguments(attr[2:closing(attr, 1)])
	var out []Unstable
	switch attr[0].text {
	case "feature":
		for _, a := range args {
			if len(a) == 1 && a[0].kind == tokenIdent {
				out = append(out, Unstable{a[0].text, a[0].line})
			}
		}
	case "cfg_attr":
		if len(args) == 0 {
			return nil
		}
		if holds, known := featureCondition(args[0], enabled, 0); holds && known {
			for _, a := range args[1:] {
				out = append(out, unstableOf(a, enabled, depth+1)...)
			}
		}
	}
	return out
}

// featureCondition evaluates a condition that is about features of the package;
// known is false when its value depends on something else.
func featureCondition(ts []token, enabled []string, depth int) (holds, known bool) {
	if len(ts) == 0 || ts[0].kind != tokenIdent || depth > maxCfgDepth {
		return false, false
	}
	name := ts[0].text
	switch {
	case len(ts) == 3 && name == "feature" && isPunct(ts[1], "=") && ts[2].kind == tokenString:
		return slices.Contains(enabled, ts[2].text), true
	case len(ts) == 1:
		return name == "true", slices.Contains([]string{"true", "false", "test", "doc", "docsrs", "doctest", "miri"}, name)
	case len(ts) < 3 || !isPunct(ts[1], "("):
		return false, false
	}
	args := arguments(ts[2:closing(ts, 1)])
	switch name {
	case "not":
		if len(args) != 1 {
			return false, false
		}
		holds, known = featureCondition(args[0], enabled, depth+1)
		return !holds, known
	case "all", "any":
		known = true
		for _, a := range args {
			one, sure := featureCondition(a, enabled, depth+1)
			if sure && one == (name == "any") {
				return one, true // it decides, whatever the others are
			}
			known = known && sure
		}
		return name == "all", known
	}
	return false, false
}

// arguments splits tokens at the commas that are not in brackets.
func arguments(ts []token) (out [][]token) {
	start := 0
	for i := 0; i < len(ts); i++ {
		if ts[i].kind != tokenPunct {
			continue
		}
		switch ts[i].text {
		case "(", "[", "{":
			i = closing(ts, i)
		case ",":
			out = append(out, ts[start:i])
			start = i + 1
		}
	}
	if start < len(ts) {
		out = append(out, ts[start:])
	}
	return out
}
