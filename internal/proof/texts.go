package proof

import (
	"bytes"
	"debug/elf"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Condition is a condition in which two builds differed, and the string by
// which each shows it: the host name "espalier", then "elsewhere".
type Condition struct {
	What          string // "the host name"
	First, Second string
}

// orderCause is the cause of texts with the same words in another order.
const orderCause = "names in another order: a build script or macro lists a directory without sorting"

// Order reports whether d is a text with the same words in another order.
func (d Difference) Order() bool { return strings.Contains(d.Cause, orderCause) }

// Attribute replaces likely causes by certain ones, where the words in which
// two texts differ are those of a condition, or the same words in another
// order.
func Attribute(list []Difference, conditions []Condition) {
	for i := range list {
		if causes := attribute(list[i].TextA, list[i].TextB, conditions); len(causes) > 0 {
			list[i].Cause = strings.Join(causes, "; ")
		}
	}
}

func attribute(a, b string, conditions []Condition) []string {
	first, second := words(a), words(b)
	if len(first) != len(second) {
		return nil
	}
	var causes []string
	var restA, restB []string
next:
	for i := range first {
		if first[i] == second[i] {
			continue
		}
		for _, c := range conditions {
			if first[i] == c.First && second[i] == c.Second {
				cause := fmt.Sprintf("%s is in it: %s, then %s", c.What, c.First, c.Second)
				if !slices.Contains(causes, cause) {
					causes = append(causes, cause)
				}
				continue next
			}
		}
		restA, restB = append(restA, first[i]), append(restB, second[i])
	}
	slices.Sort(restA)
	slices.Sort(restB)
	switch {
	case len(restA) == 0:
	case slices.Equal(restA, restB):
		causes = append(causes, orderCause)
	default:
		return nil // something else, too
	}
	return causes
}

func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// largestTexts bounds the sections whose texts are compared as a whole.
const largestTexts = 64 << 20

// texts finds the first text of each section that the other one does not have.
// What moved has another offset and says nothing.
func texts(a, b *elf.Section) (onlyA, onlyB string) {
	if a.FileSize > largestTexts || b.FileSize > largestTexts {
		return "", ""
	}
	dataA, errA := a.Data()
	dataB, errB := b.Data()
	if errA != nil || errB != nil {
		return "", ""
	}
	return firstMissing(runs(dataA), runs(dataB)), firstMissing(runs(dataB), runs(dataA))
}

func firstMissing(of, in []string) string {
	have := map[string]bool{}
	for _, s := range in {
		have[s] = true
	}
	for _, s := range of {
		if !have[s] {
			return s
		}
	}
	return ""
}

// runs are the printable texts of a section that are long enough to mean
// something.
func runs(b []byte) []string {
	var out []string
	for _, r := range bytes.FieldsFunc(b, func(r rune) bool { return r < 0x20 || r >= 0x7f }) {
		if len(r) >= shortestText {
			out = append(out, string(r[:min(len(r), longestText)]))
		}
	}
	return out
}

// Lengths of a text: that means something, that is compared, that is shown.
const (
	shortestText = 6
	longestText  = 4096
	shownText    = 160
)

// shown cuts a text for one line.
func shown(s string) string {
	if len(s) <= shownText {
		return s
	}
	return s[:shownText] + "..."
}
