package chip

import (
	"slices"
	"testing"
)

func TestInputsKeepOrder(t *testing.T) {
	var q inputs
	for i, at := range []Time{5, 3, 5, 4, 3} {
		q.add(Input{At: at, Pin: i})
	}
	var got []int
	for q.next() != Never {
		got = append(got, q.pop().Pin)
	}
	if want := []int{1, 4, 3, 0, 2}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
	if len(q.done) != 5 {
		t.Errorf("%d recorded", len(q.done))
	}
}
