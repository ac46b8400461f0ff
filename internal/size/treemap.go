package size

import (
	"cmp"
	"fmt"
	"html"
	"strings"

	"espalier.dev/espalier/internal/order"
)

// Page is a self-contained HTML page: a treemap of the flash and one of the
// RAM, crates and libraries outside, functions and statics inside, and the
// table of owners. It loads nothing and runs no script.
func (r *Report) Page(title string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>%s</title>
<style>
body{font:14px/1.4 system-ui,sans-serif;margin:1.5em;color:#222;background:#fff}
svg{display:block;width:100%%;height:auto;margin:.5em 0 2em}
svg text{font:11px system-ui,sans-serif;pointer-events:none}
svg rect{stroke:#fff;stroke-width:.5}
svg .o{fill:none;stroke:#fff;stroke-width:2.5}
svg .n{font-weight:600}
table{border-collapse:collapse}td,th{padding:.1em .8em;text-align:right;font-variant-numeric:tabular-nums}
td:first-child,th:first-child{text-align:left}tr:nth-child(even){background:#f4f4f4}
</style>
<h1>%s</h1>
<p>%d bytes of flash, %d bytes of RAM, %d bytes left to the stack. Point at a rectangle for its name and size.</p>
`, html.EscapeString(title), html.EscapeString(title), r.Flash, r.RAM, r.Stack)
	for _, m := range []struct {
		name string
		in   func(Class) bool
	}{{"Flash", Class.inFlash}, {"RAM", Class.inRAM}} {
		groups := r.groups(m.in)
		var total uint64
		for _, g := range groups {
			total += g.size
		}
		fmt.Fprintf(&b, "<h2>%s: %d bytes</h2>\n", m.name, total)
		drawMap(&b, groups)
	}
	b.WriteString("<h2>Owners</h2>\n<table><tr><th>name<th>flash<th>RAM<th>code<th>inlined<th>data<th>constants<th>other\n")
	for _, o := range r.Owners {
		fmt.Fprintf(&b, "<tr><td>%s", html.EscapeString(o.Name))
		for _, n := range []uint64{o.Flash, o.RAM, o.Parts.Code, o.Parts.Inlined, o.Parts.Data, o.Parts.Constants, o.Parts.Other} {
			fmt.Fprintf(&b, "<td>%d", n)
		}
		b.WriteByte('\n')
	}
	b.WriteString("</table>\n</html>\n")
	return []byte(b.String())
}

// group is an owner with its symbols in one kind of memory.
type group struct {
	name  string
	size  uint64
	items []item
}

type item struct {
	name string
	size uint64
}

// groups divides a memory: an owner's bytes are its own functions and statics,
// without what is inlined into them, and the rest (inlined code, constants).
func (r *Report) groups(in func(Class) bool) []group {
	classes := map[string]bool{}
	total := map[string]Parts{}
	for _, s := range r.Sections {
		if !in(s.Class) {
			continue
		}
		classes[s.Name] = true
		for name, p := range s.Owners {
			t := total[name]
			t.Code, t.Inlined, t.Data, t.Constants, t.Other = t.Code+p.Code, t.Inlined+p.Inlined, t.Data+p.Data, t.Constants+p.Constants, t.Other+p.Other
			total[name] = t
		}
	}
	byName := map[string]*group{}
	for name, p := range total {
		g := &group{name: name, size: p.Sum()}
		for _, part := range []item{{"inlined into functions of others", p.Inlined}, {"constants without a name", p.Constants}, {"other", p.Other}} {
			if part.size > 0 {
				g.items = append(g.items, part)
			}
		}
		byName[name] = g
	}
	for _, list := range [][]Symbol{r.Functions, r.Statics} {
		for _, s := range list {
			if g := byName[s.Owner]; g != nil && classes[s.Section] && s.Size > s.Inlined {
				g.items = append(g.items, item{s.Name, s.Size - s.Inlined})
			}
		}
	}
	var out []group
	for _, g := range byName {
		order.Sort(g.items, func(a, b item) int {
			return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.name, b.name))
		})
		if g.size > 0 {
			out = append(out, *g)
		}
	}
	order.Sort(out, func(a, b group) int { return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.name, b.name)) })
	return out
}

type rect struct{ x, y, w, h float64 }

const mapWidth, mapHeight = 1200, 560

func drawMap(b *strings.Builder, groups []group) {
	fmt.Fprintf(b, "<svg viewBox=\"0 0 %d %d\" role=\"img\">\n", mapWidth, mapHeight)
	sizes := make([]uint64, len(groups))
	for i, g := range groups {
		sizes[i] = g.size
	}
	for i, r := range squarify(sizes, rect{0, 0, mapWidth, mapHeight}) {
		g := groups[i]
		// A hue for each name: the same crate has the same colour in both maps
		// and in every version.
		hue := 0
		for _, c := range g.name {
			hue = (hue*31 + int(c)) % 360
		}
		fill := func(light int) string { return fmt.Sprintf("hsl(%d 55%% %d%%)", hue, light) }
		inner := make([]uint64, len(g.items))
		for k, it := range g.items {
			inner[k] = it.size
		}
		for k, q := range squarify(inner, r) {
			it := g.items[k]
			fmt.Fprintf(b, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"><title>%s\n%s: %d bytes</title></rect>\n",
				q.x, q.y, q.w, q.h, fill(70+k%3*5), html.EscapeString(g.name), html.EscapeString(it.name), it.size)
			if q.w > 60 && q.h > 32 {
				label(b, q.x+4, q.y+26, q.w-8, "", it.name)
			}
		}
		fmt.Fprintf(b, "<rect class=\"o\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", r.x, r.y, r.w, r.h)
		if r.w > 40 && r.h > 14 {
			label(b, r.x+4, r.y+12, r.w-8, "n", fmt.Sprintf("%s %d", g.name, g.size))
		}
	}
	b.WriteString("</svg>\n")
}

// label writes as much of a text as fits, at six units a character.
func label(b *strings.Builder, x, y, width float64, class, text string) {
	runes := []rune(text)
	if n := max(int(width/6), 0); len(runes) > n {
		runes = runes[:n]
	}
	if class != "" {
		class = ` class="` + class + `"`
	}
	fmt.Fprintf(b, "<text%s x=\"%.1f\" y=\"%.1f\">%s</text>\n", class, x, y, html.EscapeString(string(runes)))
}

// squarify divides a rectangle in proportion to sizes, largest first, into
// rectangles as square as it can (Bruls, Huizing, van Wijk: Squarified
// Treemaps, 2000).
func squarify(sizes []uint64, in rect) []rect {
	out := make([]rect, len(sizes))
	var total float64
	for _, n := range sizes {
		total += float64(n)
	}
	if total == 0 || in.w <= 0 || in.h <= 0 {
		return out
	}
	scale := in.w * in.h / total
	for from := 0; from < len(sizes); {
		side := min(in.w, in.h)
		var sum float64
		worst, to := 0.0, from
		for to < len(sizes) {
			next := sum + float64(sizes[to])*scale
			if next == 0 {
				to++
				continue
			}
			w := max(side*side*float64(sizes[from])*scale/(next*next), next*next/(side*side*max(float64(sizes[to])*scale, 1e-9)))
			if to > from && w > worst {
				break
			}
			sum, worst = next, w
			to++
		}
		thick := 0.0
		if side > 0 {
			thick = sum / side
		}
		along := 0.0
		for i := from; i < to; i++ {
			length := 0.0
			if thick > 0 {
				length = float64(sizes[i]) * scale / thick
			}
			if in.w >= in.h {
				out[i] = rect{in.x, in.y + along, thick, length}
			} else {
				out[i] = rect{in.x + along, in.y, length, thick}
			}
			along += length
		}
		if in.w >= in.h {
			in.x, in.w = in.x+thick, max(in.w-thick, 0)
		} else {
			in.y, in.h = in.y+thick, max(in.h-thick, 0)
		}
		from = to
	}
	return out
}
