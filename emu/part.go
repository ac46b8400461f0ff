package emu

// Part is a component that is connected to a board, such as a sensor or a
// button: see emu/parts for some.
type Part interface {
	// Attach connects the part with the board. It is called once, before the
	// board's first instruction.
	Attach(*Board) error
}
