package project

import (
	"errors"

	"espalier.dev/espalier/internal/board"
	"espalier.dev/espalier/internal/fault"
)

// board resolves [board]: the table of the project's file, else that of the
// user's, with the parts of the board that a flag or the environment names in the
// place of use.
func (x *layers) board(given []string) *board.Board {
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
