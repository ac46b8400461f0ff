package proof

import (
	"bytes"
	"cmp"
	"debug/elf"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Difference is one section in which two ELF files differ.
type Difference struct {
	Section string `json:"section"`          // "(header)" for bytes outside of sections
	SizeA   int64  `json:"size-a"`           // bytes; -1: the section is missing
	SizeB   int64  `json:"size-b"`           //
	Offset  int64  `json:"offset"`           // of the first differing byte in the section
	Bytes   int64  `json:"bytes"`            // how many bytes differ in the common part
	Symbol  string `json:"symbol,omitempty"` // that covers the first difference
	TextA   string `json:"text-a,omitempty"` // printable text around it
	TextB   string `json:"text-b,omitempty"`
	Cause   string `json:"cause"` // likely cause, for people
}

func (d Difference) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", d.Section)
	switch {
	case d.SizeA < 0:
		b.WriteString("only in the second build")
	case d.SizeB < 0:
		b.WriteString("only in the first build")
	case d.SizeA != d.SizeB:
		fmt.Fprintf(&b, "%d bytes, then %d bytes; first difference at 0x%x", d.SizeA, d.SizeB, d.Offset)
	default:
		fmt.Fprintf(&b, "%d of %d bytes differ, from 0x%x", d.Bytes, d.SizeA, d.Offset)
	}
	if d.Symbol != "" {
		fmt.Fprintf(&b, " in %s", d.Symbol)
	}
	if d.TextA != "" || d.TextB != "" {
		fmt.Fprintf(&b, ": %q, then %q", shown(d.TextA), shown(d.TextB))
	}
	return b.String()
}

// CompareELF lists the sections in which a and b differ, in the order of a.
// An empty list means that all sections are equal; the files may still differ
// in headers, which is then the only entry.
func CompareELF(a, b io.ReaderAt) ([]Difference, error) {
	fa, err := elf.NewFile(a)
	if err != nil {
		return nil, fmt.Errorf("first build: %w", err)
	}
	fb, err := elf.NewFile(b)
	if err != nil {
		return nil, fmt.Errorf("second build: %w", err)
	}
	var out []Difference
	second := map[string]*elf.Section{}
	for _, s := range fb.Sections {
		second[s.Name] = s
	}
	seen := map[string]bool{}
	for _, sa := range fa.Sections {
		if sa.Type == elf.SHT_NULL {
			continue
		}
		seen[sa.Name] = true
		sb := second[sa.Name]
		if sb == nil {
			out = append(out, Difference{Section: sa.Name, SizeA: int64(sa.FileSize), SizeB: -1, Cause: "the linker saw other inputs"})
			continue
		}
		d, differs, err := compareSection(fa, sa, sb)
		if err != nil {
			return nil, err
		}
		if differs {
			out = append(out, d)
		}
	}
	for _, sb := range fb.Sections {
		if sb.Type != elf.SHT_NULL && !seen[sb.Name] {
			out = append(out, Difference{Section: sb.Name, SizeA: -1, SizeB: int64(sb.FileSize), Cause: "the linker saw other inputs"})
		}
	}
	if len(out) == 0 {
		if d, differs, err := compareFiles(a, b); err != nil || differs {
			return []Difference{d}, err
		}
	}
	explain(out)
	return out, nil
}

// compareFiles finds what no section shows: the ELF header, program headers,
// section headers, padding, bytes after the end.
func compareFiles(a, b io.ReaderAt) (Difference, bool, error) {
	d := Difference{Section: "(header)", Offset: -1, Cause: "headers or padding: the linker was called in another way"}
	bufA, bufB := make([]byte, chunk), make([]byte, chunk)
	for off := int64(0); ; off += chunk {
		n, errA := a.ReadAt(bufA, off)
		m, errB := b.ReadAt(bufB, off)
		for _, err := range []error{errA, errB} {
			if err != nil && err != io.EOF {
				return d, false, fmt.Errorf("reading a build: %w", err)
			}
		}
		d.SizeA, d.SizeB = d.SizeA+int64(n), d.SizeB+int64(m)
		for i := range min(n, m) {
			if bufA[i] != bufB[i] {
				d.Bytes++
				if d.Offset < 0 {
					d.Offset = off + int64(i)
				}
			}
		}
		if n < chunk && m < chunk {
			break
		}
	}
	if d.Offset < 0 && d.SizeA != d.SizeB {
		d.Offset = min(d.SizeA, d.SizeB)
	}
	return d, d.Offset >= 0, nil
}

// chunk is how much of a section is compared at a time.
const chunk = 256 << 10

func compareSection(fa *elf.File, sa, sb *elf.Section) (Difference, bool, error) {
	d := Difference{Section: sa.Name, SizeA: int64(sa.Size), SizeB: int64(sb.Size), Offset: -1}
	if sa.Type == elf.SHT_NOBITS || sb.Type == elf.SHT_NOBITS {
		if sa.Type == sb.Type && sa.Size == sb.Size && sa.Addr == sb.Addr {
			return d, false, nil
		}
		d.Offset = 0
		return d, true, nil
	}
	n := min(int64(sa.FileSize), int64(sb.FileSize))
	bufA, bufB := make([]byte, chunk), make([]byte, chunk)
	for off := int64(0); off < n; off += chunk {
		k := min(chunk, n-off)
		for _, in := range []struct {
			s   *elf.Section
			buf []byte
		}{{sa, bufA[:k]}, {sb, bufB[:k]}} {
			// A section can claim to be larger than its file.
			if n, err := in.s.ReadAt(in.buf, off); int64(n) < k {
				return d, false, fmt.Errorf("reading section %s: %w", in.s.Name, cmp.Or(err, io.ErrUnexpectedEOF))
			}
		}
		if bytes.Equal(bufA[:k], bufB[:k]) {
			continue
		}
		for i := range k {
			if bufA[i] == bufB[i] {
				continue
			}
			d.Bytes++
			if d.Offset < 0 {
				d.Offset = off + i
				d.TextA, d.TextB = textAround(bufA[:k], i), textAround(bufB[:k], i)
				if sa.Flags&elf.SHF_ALLOC != 0 {
					d.Symbol = symbolAt(fa, sa.Addr+uint64(d.Offset))
				}
			}
		}
	}
	if d.Offset < 0 {
		if sa.Size == sb.Size && sa.Addr == sb.Addr {
			return d, false, nil
		}
		d.Offset = n
	}
	if sa.Flags&elf.SHF_ALLOC != 0 && sa.Flags&elf.SHF_EXECINSTR == 0 {
		if onlyA, onlyB := texts(sa, sb); onlyA+onlyB != "" {
			d.TextA, d.TextB = onlyA, onlyB
		}
	}
	return d, true, nil
}

// textAround returns the printable run that holds position i, when it is long
// enough to mean something.
func textAround(b []byte, i int64) string {
	const most = 120
	lo, hi := i, i
	for lo > 0 && printable(b[lo-1]) && i-lo < most {
		lo--
	}
	for hi < int64(len(b)) && printable(b[hi]) && hi-i < most {
		hi++
	}
	if hi-lo < shortestText {
		return ""
	}
	return string(b[lo:hi])
}

func printable(c byte) bool { return c >= 0x20 && c < 0x7f }

func symbolAt(f *elf.File, addr uint64) string {
	syms, err := f.Symbols()
	if err != nil {
		return ""
	}
	for _, s := range syms {
		if s.Size > 0 && s.Value <= addr && addr < s.Value+s.Size {
			return s.Name
		}
	}
	return ""
}

// explain fills in the likely causes. The order matters: a moved string in
// .rodata explains every address after it.
func explain(list []Difference) {
	moved := slices.ContainsFunc(list, func(d Difference) bool {
		return strings.HasPrefix(d.Section, ".rodata") && (d.SizeA != d.SizeB || looksLikePath(d.TextA+d.TextB))
	})
	for i := range list {
		d := &list[i]
		switch {
		case d.Cause != "":
		case d.Section == ".flash.appdesc" || strings.HasPrefix(d.Section, ".rodata_desc"):
			d.Cause = descriptorCause(d.Offset)
		case d.Section == ".comment":
			d.Cause = "another compiler or linker"
		case looksLikePath(d.TextA) || looksLikePath(d.TextB):
			d.Cause = "an absolute path of the building machine is in the program"
		case strings.HasPrefix(d.Section, ".debug"):
			d.Cause = "debug information: paths or compiler options differ"
		case looksLikeDate(d.TextA) || looksLikeDate(d.TextB):
			d.Cause = "a date of the building day is in the program"
		case strings.HasPrefix(d.Section, ".rodata") && d.TextA+d.TextB != "":
			d.Cause = "a text that a build script or macro made: the name of the machine or user, a random number, an order of files"
		case moved:
			d.Cause = "follows from moved read-only data: only addresses differ"
		default:
			d.Cause = "generated code or data differs: a build script or macro that depends on time, order or environment"
		}
	}
}

// descriptorCause is the cause of a difference at an offset of the application
// descriptor (esp_app_desc_t of ESP-IDF).
func descriptorCause(offset int64) string {
	switch {
	case offset >= 16 && offset < 80:
		return "another name or version of the package, in the application descriptor"
	case offset >= 112:
		return "the application descriptor names another ESP-IDF, ELF or range of chips"
	}
	return "the application descriptor carries the build date: SOURCE_DATE_EPOCH differs, or a crate reads the clock"
}

func looksLikePath(s string) bool {
	return strings.Contains(s, "/src/") || strings.Contains(s, "/cargo/") || strings.Contains(s, "/home/") ||
		strings.Contains(s, "/tmp/") || strings.Contains(s, "/target/")
}

// looksLikeDate recognises ISO dates and clock times.
func looksLikeDate(s string) bool {
	for i := 0; i+8 <= len(s); i++ {
		w := s[i : i+8]
		if isDigits(w[0:2]) && w[2] == ':' && isDigits(w[3:5]) && w[5] == ':' && isDigits(w[6:8]) {
			return true
		}
		if i+10 <= len(s) && isDigits(s[i:i+4]) && s[i+4] == '-' && isDigits(s[i+5:i+7]) && s[i+7] == '-' && isDigits(s[i+8:i+10]) {
			return true
		}
	}
	return false
}

func isDigits(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}
