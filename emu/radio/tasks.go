package radio

import (
	"slices"

	"espalier.dev/espalier/emu"
)

// tasks are what an access point will do, in the order of time and, at the
// same time, of their making.
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
