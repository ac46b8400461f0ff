package tomldoc

// Bounds of a document. No file of a project comes near them; a decoder of
// nested values takes time and memory that grow with the square of the depth.
const (
	maxDepth    = 64 // of arrays and inline tables in each other
	maxKeyParts = 64 // of one dotted key
)

// bounded checks the bounds before anything is decoded and returns the offset
// and the name of what exceeds one; the offset is -1 when nothing does. It
// knows strings and comments, and no other rule of the language.
func bounded(b []byte) (at int, what string) {
	depth, parts := 0, 1
	for i := 0; i < len(b); i++ {
		switch c := b[i]; c {
		case '#':
			for i < len(b) && b[i] != '\n' {
				i++
			}
			parts = 1
		case '"', '\'':
			i = skipString(b, i)
		case '[', '{':
			parts = 1
			if depth++; depth > maxDepth {
				return i, "values are nested too deeply"
			}
		case ']', '}':
			depth = max(depth-1, 0)
		case '\n', '=', ',':
			parts = 1
		case '.':
			if parts++; parts > maxKeyParts {
				return i, "a dotted key has too many parts"
			}
		}
	}
	return -1, ""
}

// skipString returns the index of the last byte of the string that starts at
// i. A string that does not end ends with the document; the decoder says so.
func skipString(b []byte, i int) int {
	quote := b[i]
	multi := i+2 < len(b) && b[i+1] == quote && b[i+2] == quote
	if multi {
		i += 2
	}
	for i++; i < len(b); i++ {
		switch {
		case b[i] == '\\' && quote == '"':
			i++
		case b[i] == '\n' && !multi:
			return i - 1
		case b[i] == quote && !multi:
			return i
		case b[i] == quote && i+2 < len(b) && b[i+1] == quote && b[i+2] == quote:
			for i+3 < len(b) && b[i+3] == quote { // up to two quotes may end the content
				i++
			}
			return i + 2
		}
	}
	return len(b) - 1
}
