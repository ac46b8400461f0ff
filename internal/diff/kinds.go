package diff

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	elfview "espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/inspect"
	"espalier.dev/espalier/internal/lock"
)

// sectionBytes returns the bytes of a section with content.
func sectionBytes(elf []byte, s inspect.Section) []byte {
	e, err := elfview.Open(bytes.NewReader(elf), elfview.Options{})
	at, numberErr := strconv.ParseUint(s.Address, 0, 32)
	if err != nil || numberErr != nil || !s.Loaded {
		return nil
	}
	b, _ := e.ReadAddr(uint32(at), int(s.Size))
	return b
}

func lockRows(a, b []byte) []Row {
	old, err := lock.Decode("", a)
	if err != nil {
		return nil
	}
	now, err := lock.Decode("", b)
	if err != nil {
		return nil
	}
	var rows []Row
	for _, c := range lock.Compare(old, now).Changes {
		r := Row{Area: c.Area, Name: c.Name, From: c.From, To: c.To}
		if c.Host != "" {
			r.Name += " for " + c.Host
		}
		if d := c.ToBytes - c.FromBytes; c.FromBytes > 0 && c.ToBytes > 0 {
			r.Delta = &d
		}
		rows = append(rows, r)
	}
	return rows
}

// isRecording recognises the first line of a recording (docs/network.md).
func isRecording(b []byte) bool {
	first, _, _ := bytes.Cut(b, []byte("\n"))
	return bytes.HasPrefix(bytes.TrimSpace(first), []byte("{")) && bytes.Contains(first, []byte(`"espalier-run"`))
}

func recordingFacts(b []byte) (*facts, error) {
	first, rest, _ := bytes.Cut(b, []byte("\n"))
	out := &facts{kind: "recording", of: map[key]value{}}
	var head map[string]any
	d := json.NewDecoder(bytes.NewReader(first))
	d.UseNumber()
	if err := d.Decode(&head); err != nil {
		return nil, fmt.Errorf("reading the recording: %w", err)
	}
	walk(out, "recording", "", head)
	if at := bytes.LastIndex(bytes.TrimRight(rest, "\n"), []byte("\n")); at >= 0 {
		var end map[string]any
		d := json.NewDecoder(bytes.NewReader(rest[at+1:]))
		d.UseNumber()
		if d.Decode(&end) == nil && end["end"] != nil {
			walk(out, "end", "", end)
		}
	}
	return out, nil
}

// recordingRows finds the first event in which two runs differ.
func recordingRows(a, b []byte) []Row {
	sa, sb := bufio.NewScanner(bytes.NewReader(a)), bufio.NewScanner(bytes.NewReader(b))
	sa.Buffer(nil, 4<<20)
	sb.Buffer(nil, 4<<20)
	for n := 1; ; n++ {
		ok, okB := sa.Scan(), sb.Scan()
		if !ok && !okB {
			return nil
		}
		if n > 1 && (ok != okB || !bytes.Equal(sa.Bytes(), sb.Bytes())) {
			return []Row{{Area: "event", Name: "first difference, line " + strconv.Itoa(n), From: shown(sa.Bytes(), ok), To: shown(sb.Bytes(), okB)}}
		}
	}
}

func shown(line []byte, there bool) string {
	if !there {
		return "(the recording ends)"
	}
	return string(line[:min(len(line), 100)])
}
