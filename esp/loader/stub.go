package loader

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Stub is Espressif's flasher stub (esp-flasher-stub, Apache-2.0 or MIT): a
// program for the chip's RAM that knows the ROM's commands and faster ones.
type Stub struct {
	Entry uint32
	Text  Section
	Data  Section
}

// Section is bytes and where they go in RAM.
type Section struct {
	Addr  uint32
	Bytes []byte
}

// ParseStub reads a stub as the espflash crate ships it: a TOML file with the
// keys entry, text, text_start, data and data_start, code in base64.
func ParseStub(toml []byte) (*Stub, error) {
	fields := map[string]string{}
	for n, line := range strings.Split(string(toml), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		k, v, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fmt.Errorf("flasher stub: line %d is not KEY = VALUE", n+1)
		}
		fields[strings.TrimSpace(k)] = strings.Trim(strings.TrimSpace(v), `"`)
	}
	var s Stub
	for key, to := range map[string]*uint32{"entry": &s.Entry, "text_start": &s.Text.Addr, "data_start": &s.Data.Addr} {
		v, err := strconv.ParseUint(strings.ReplaceAll(fields[key], "_", ""), 0, 32)
		if err != nil {
			return nil, fmt.Errorf("flasher stub: %s is not an address", key)
		}
		*to = uint32(v)
	}
	for key, to := range map[string]*[]byte{"text": &s.Text.Bytes, "data": &s.Data.Bytes} {
		b, err := base64.StdEncoding.DecodeString(fields[key])
		if err != nil {
			return nil, fmt.Errorf("flasher stub: %s is not base64", key)
		}
		*to = b
	}
	if len(s.Text.Bytes) == 0 || s.Entry < s.Text.Addr || s.Entry >= s.Text.Addr+uint32(len(s.Text.Bytes)) {
		return nil, errors.New("flasher stub: the entry point is not in its code")
	}
	return &s, nil
}

// ramBlock is the largest block of MEM_DATA.
const ramBlock = 0x1800

// startStub loads the stub and waits for its greeting.
func (l *Loader) startStub(ctx context.Context) error {
	s := l.o.Stub
	if s == nil || l.stub || l.security.SecureDownload() {
		return nil
	}
	for _, sec := range []Section{s.Text, s.Data} {
		if err := l.load(ctx, sec); err != nil {
			return err
		}
	}
	// The greeting may come in one piece with the answer.
	if _, err := l.link.once(ctx, opMemEnd, words(0, s.Entry), 0, timeMemEnd); err != nil {
		var t *TimeoutError
		if !errors.As(err, &t) {
			return err
		}
	}
	deadline := l.port.Now() + timeCommand
	for {
		f, err := l.link.frame(ctx, deadline)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return &TimeoutError{Command: "the stub's start", After: timeCommand}
		}
		if err != nil {
			return err
		}
		if bytes.Equal(f, []byte("OHAI")) {
			break
		}
	}
	l.stub, l.attached, l.patcher, l.link.status = true, false, false, 2
	l.event("flasher stub runs")
	return nil
}

// load writes RAM.
func (l *Loader) load(ctx context.Context, s Section) error {
	if len(s.Bytes) == 0 {
		return nil
	}
	n := (len(s.Bytes) + ramBlock - 1) / ramBlock
	if _, err := l.link.once(ctx, opMemBegin, words(uint32(len(s.Bytes)), uint32(n), ramBlock, s.Addr), 0, timeCommand); err != nil {
		return err
	}
	for i := range n {
		piece := s.Bytes[i*ramBlock : min((i+1)*ramBlock, len(s.Bytes))]
		data, sum := block(uint32(i), piece)
		if _, err := l.link.once(ctx, opMemData, data, sum, timeCommand); err != nil {
			return err
		}
	}
	return nil
}
