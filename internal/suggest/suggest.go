// Package suggest finds the known word that was probably meant by a misspelt
// one. It imports nothing of the module.
package suggest

import "unicode/utf8"

// Nearest returns the known word with the smallest edit distance from word, the
// first one of several; "" when none is near: at most a third of the letters
// may differ, and at least one and at most three do. Case does not
// count, nor does a dash for an underscore.
func Nearest(word string, known []string) string {
	limit := min(max(utf8.RuneCountInString(word)/3, 1), 3)
	best, nearest := limit+1, ""
	for _, k := range known {
		if d := distance([]rune(word), []rune(k)); k != word && d < best {
			best, nearest = d, k
		}
	}
	return nearest
}

// distance is the optimal string alignment distance: the number of inserted,
// deleted, replaced and transposed letters.
func distance(a, b []rune) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+differ(a[i-1], b[j-1]))
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] && a[i-1] != a[i-2] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}

func differ(a, b rune) int {
	lower := func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		if r == '_' {
			return '-'
		}
		return r
	}
	if lower(a) == lower(b) {
		return 0
	}
	return 1
}
