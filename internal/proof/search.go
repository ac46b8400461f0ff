package proof

import "slices"

// Search finds the conditions that change a result, by halving. All of them together
// do; known ones are not built again. differs builds under conditions and compares
// with a build under none.
//
// Conditions that change the result only together are returned together, with those
// of their half that do not matter.
func Search(all, known []string, differs func(names []string) (bool, error)) ([]string, error) {
	rest := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(known, name) })
	if len(known) > 0 && len(rest) > 0 {
		if more, err := differs(rest); err != nil || !more {
			return known, err
		}
	}
	found, err := halve(rest, differs)
	return append(slices.Clone(known), found...), err
}

// halve is Search in a set that changes the result.
func halve(set []string, differs func([]string) (bool, error)) ([]string, error) {
	if len(set) <= 1 {
		return set, nil
	}
	var out []string
	first, second := set[:len(set)/2], set[len(set)/2:]
	for _, half := range [][]string{first, second} {
		matters, err := differs(half)
		if err != nil {
			return nil, err
		}
		if !matters {
			continue
		}
		found, err := halve(half, differs)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	if len(out) == 0 {
		return set, nil
	}
	return out, nil
}
