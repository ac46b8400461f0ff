package radio

import (
	"slices"

	"espalier.dev/espalier/emu"
)

// tasks is a queue of function calls in the order of their instants; those of the
// same instant are in the order in which they were added.
type tasks []task

type task struct {
	at emu.Time
	do func()
}

func (q *tasks) add(at emu.Time, do func()) {
	i := len(*q)
	for i > 0 && (*q)[i-1].at > at {
		i--
	}
	*q = slices.Insert(*q, i, task{at, do})
}

func (q tasks) next() emu.Time {
	if len(q) == 0 {
		return emu.Never
	}
	return q[0].at
}

func (q *tasks) pop() func() {
	do := (*q)[0].do
	*q = slices.Delete(*q, 0, 1)
	return do
}
