package proof

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// The conditions that matter are found, with as few builds as halving needs.
func TestSearch(t *testing.T) {
	const all = "a b c d e f g h i j k l m n o p"
	for _, c := range []struct {
		matter, known string
		most          int // builds
	}{
		{"f", "", 8},
		{"a p", "", 14},
		{"d", "d", 1},   // it is known: one build shows that nothing else matters
		{"d k", "d", 9}, // and another one is not
		{"a b c d", "", 10},
		{all, "", 30},
		{all, all, 0},
	} {
		builds := 0
		got, err := Search(strings.Fields(all), strings.Fields(c.known), func(list []string) (bool, error) {
			builds++
			return slices.ContainsFunc(list, func(x string) bool { return slices.Contains(strings.Fields(c.matter), x) }), nil
		})
		slices.Sort(got)
		if want := strings.Fields(c.matter); err != nil || !slices.Equal(got, want) || builds > c.most {
			t.Errorf("%s, known %q: %q with %d builds, %v", c.matter, c.known, got, builds, err)
		}
	}
	// Two that only together change something.
	got, err := Search(strings.Fields("a b c d"), nil, func(list []string) (bool, error) {
		return slices.Contains(list, "b") && slices.Contains(list, "c"), nil
	})
	if err != nil || !slices.Equal(got, []string{"a", "b", "c", "d"}) {
		t.Errorf("together: %q, %v", got, err)
	}
	failed := errors.New("no space")
	if _, err := Search(strings.Fields(all), nil, func([]string) (bool, error) { return false, failed }); !errors.Is(err, failed) {
		t.Errorf("a build that fails: %v", err)
	}
}
