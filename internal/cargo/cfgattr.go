package cargo

import "strings"

// cfgRanges marks the tokens under #[cfg(…)]: off where the chip's build
// certainly leaves them out, maybe where that depends on features or on names
// that build scripts set.
func cfgRanges(ts []token) (off, maybe map[int]bool) {
	off, maybe = map[int]bool{}, map[int]bool{}
	set := targetCfg(DefaultTarget)
	for i := 0; i+3 < len(ts); i++ {
		if ts[i].text != "#" || ts[i].kind != tokenPunct {
			continue
		}
		j := i + 1
		inner := ts[j].text == "!" && ts[j].kind == tokenPunct
		if inner {
			j++
		}
		if j+2 >= len(ts) || ts[j].text != "[" || ts[j+1].text != "cfg" || ts[j+2].text != "(" {
			continue
		}
		end := closing(ts, j)
		expr, known := cfgText(ts[j+1:end], set)
		on, err := matchCfg(expr, set)
		mark := maybe
		switch {
		case err == nil && known && on:
			continue
		case err == nil && known:
			mark = off
		}
		last := len(ts) - 1
		if !inner {
			last = itemEnd(ts, end+1)
		}
		for k := end + 1; k <= last; k++ {
			mark[k] = true
		}
	}
	return off, maybe
}

// cfgText writes cfg(…) back from tokens; known is false when it asks for
// something that only the build decides.
func cfgText(ts []token, set cfgSet) (text string, known bool) {
	known = true
	for i, t := range ts {
		switch t.kind {
		case tokenString:
			text += quoted(t.text)
		case tokenIdent:
			text += t.text
			call := i+1 < len(ts) && ts[i+1].text == "("
			switch {
			case call, t.text == "test", strings.HasPrefix(t.text, "target_"), t.text == "unix", t.text == "windows", t.text == "panic":
			default:
				known = false
			}
		default:
			text += t.text
		}
	}
	return text, known
}

// closing is the index of the bracket that closes ts[open], or of the last
// token.
func closing(ts []token, open int) int {
	depth := 0
	for i := open; i < len(ts); i++ {
		if ts[i].kind != tokenPunct {
			continue
		}
		switch ts[i].text {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			if depth--; depth <= 0 {
				return i
			}
		}
	}
	return len(ts) - 1
}

// itemEnd is the last token of the item, statement or field that starts at
// ts[i]: its semicolon or comma, or the brace that closes its body, or the
// token before the brace of what contains it.
func itemEnd(ts []token, i int) int {
	for ; i < len(ts); i++ {
		if ts[i].kind != tokenPunct {
			continue
		}
		switch ts[i].text {
		case "{":
			return closing(ts, i)
		case "(", "[":
			i = closing(ts, i)
		case ";", ",":
			return i
		case ")", "]", "}":
			return i - 1
		}
	}
	return len(ts) - 1
}
