package project

import (
	"errors"

	"espalier.dev/espalier/internal/board"
	"espalier.dev/espalier/internal/fault"
)

// board resolves [board]: the table of the project's file, else that of the
// user's, with the parts of the board that a flag or the environment names in the
// place of use, and the chip revision that these name.
func (x *layers) board(given, revision []string) *board.Board {
	b := x.described(given)
	chip := x.str(spec{name: "board.revision", env: "ESPALIER_CHIP_REVISION", flag: "chip-revision", given: revision})
	if x.err != nil || chip.V == "" {
		return b
	}
	r, err := board.ParseRevision(chip.V)
	if err != nil {
		x.fail(fault.New(fault.Usage, chip.Origin.String()+": "+err.Error()))
		return nil
	}
	if b == nil {
		b = &board.Board{Name: "board", Pins: map[string]int{}}
	}
	b.Revision = r
	return b
}

func (x *layers) described(given []string) *board.Board {
	use := x.str(spec{name: "board.use", env: "ESPALIER_BOARD", flag: "board", given: given})
	table := x.own.Get("board")
	if table == nil {
		table = x.user.Get("board")
	}
	if x.err != nil || table == nil && use.V == "" {
		return nil
	}
	var b *board.Board
	var err error
	if rank(use.Origin) < 2 {
		b, err = board.ParseWith(table, use.V)
	} else {
		b, err = board.Parse(table)
	}
	var unknown *board.UnknownError
	if errors.As(err, &unknown) {
		err = fault.New(fault.Usage, use.Origin.String()+": "+err.Error())
	}
	if err != nil {
		x.fail(err)
	}
	return b
}
