package emu

// Pending returns how many changes of wires are on their way.
func (g *Group) Pending() (n int) {
	for _, w := range g.wires {
		n += len(w.moves)
	}
	return n
}
