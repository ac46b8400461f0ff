package settings

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/esp/nvs"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/fault"
)

// Flash is where partitions are: a board, or the content of a flash chip.
type Flash interface {
	Read(ctx context.Context, offset, size uint32) ([]byte, error)
	// Do carries out operations on the partition at base, in their order, and
	// verifies the result. before is what the partition holds.
	Do(ctx context.Context, base uint32, before []byte, ops []nvs.Op) error
}

// Board is the flash of a board.
type Board struct{ Loader *loader.Loader }

// Read reads flash.
func (b Board) Read(ctx context.Context, offset, size uint32) ([]byte, error) {
	return b.Loader.Read(ctx, offset, size, nil)
}

// Do programs without erasing, and erases single sectors. A partition that is blank
// has nothing to lose and gets its pages as a whole.
func (b Board) Do(ctx context.Context, base uint32, before []byte, ops []nvs.Op) error {
	flash := bytes.Clone(before)
	if isBlank(before) {
		for _, o := range ops {
			o.Apply(flash)
		}
		ops = nil
		for at := 0; at < len(flash); at += nvs.PageSize {
			if page := flash[at : at+nvs.PageSize]; !isBlank(page) {
				ops = append(ops, nvs.Op{Offset: at, Bytes: page})
			}
		}
	}
	for _, o := range ops {
		o.Apply(flash)
		var err error
		if o.Erases() {
			err = b.Loader.Erase(ctx, base+uint32(o.Offset), nvs.PageSize, nil)
		} else {
			start := o.Offset / nvs.PageSize * nvs.PageSize
			end := (o.Offset + len(o.Bytes) + block - 1) / block * block
			err = b.Loader.Program(ctx, base+uint32(start), flash[start:end])
		}
		if err != nil {
			return err
		}
	}
	same, err := b.Loader.Holds(ctx, base, flash)
	if err == nil && !same {
		err = fault.New(fault.Chip, fmt.Sprintf("the partition at 0x%x does not hold what was written", base), "try again; nothing else was changed")
	}
	return err
}

// block is what the loader sends at a time.
const block = 1024

// Memory is the content of a flash chip, or of one partition at offset 0.
type Memory []byte

// Read returns bytes of the content.
func (m Memory) Read(_ context.Context, offset, size uint32) ([]byte, error) {
	if uint64(offset)+uint64(size) > uint64(len(m)) {
		return nil, fault.New(fault.Usage, fmt.Sprintf("0x%x bytes from 0x%x reach beyond the content's 0x%x bytes", size, offset, len(m)))
	}
	return bytes.Clone(m[offset : offset+size]), nil
}

// Do changes the content.
func (m Memory) Do(_ context.Context, base uint32, _ []byte, ops []nvs.Op) error {
	for _, o := range ops {
		o.Apply(m[base:])
	}
	return nil
}

func isBlank(b []byte) bool { return len(bytes.Trim(b, "\xff")) == 0 }

// Place is a partition in a flash. Keys is the partition with its keys, if there is
// one.
type Place struct {
	Flash  Flash
	Entry  partition.Entry
	Keys   *partition.Entry
	Given  *nvs.Keys // instead of Keys
	before []byte
}

// Open reads the partition, decrypted if it is encrypted and there are keys.
func (pl *Place) Open(ctx context.Context) (*nvs.Partition, error) {
	var err error
	if pl.before, err = pl.Flash.Read(ctx, pl.Entry.Offset, pl.Entry.Size); err != nil {
		return nil, err
	}
	at := "partition " + pl.Entry.Name
	if pl.Given != nil {
		p, err := nvs.Open(pl.before, pl.Given)
		return p, fault.Wrap(fault.Usage, err, at)
	}
	p, err := nvs.Open(pl.before, nil)
	if !errors.Is(err, nvs.ErrEncrypted) {
		return p, fault.Wrap(fault.Usage, err, at)
	}
	if pl.Keys == nil {
		return nil, fault.Wrap(fault.Usage, err, at, "espalier nvs … --keys FILE   # the content of its keys partition")
	}
	keys, err := pl.readKeys(ctx)
	if err != nil {
		return nil, err
	}
	p, err = nvs.Open(pl.before, &keys)
	return p, fault.Wrap(fault.Usage, err, at)
}

func (pl *Place) readKeys(ctx context.Context) (nvs.Keys, error) {
	b, err := pl.Flash.Read(ctx, pl.Keys.Offset, nvs.KeysSize)
	if err != nil {
		return nvs.Keys{}, err
	}
	keys, err := nvs.ParseKeys(b)
	return keys, fault.Wrap(fault.Usage, err, "partition "+pl.Keys.Name)
}

// Commit carries out operations that a change of the partition has returned.
func (pl *Place) Commit(ctx context.Context, ops []nvs.Op) error {
	if len(ops) == 0 {
		return nil
	}
	return pl.Flash.Do(ctx, pl.Entry.Offset, pl.before, ops)
}

// Summary is the event "settings": what a job has done.
type Summary struct {
	Partition string       `json:"partition"`
	Device    string       `json:"device,omitempty"` // in the devices file
	Values    int          `json:"values"`           // that [nvs] names
	Changed   []string     `json:"changed"`          // NAMESPACE.KEY of those that were not there
	Encrypted bool         `json:"encrypted"`
	NewKeys   bool         `json:"new-keys"` // the keys were made
	Lost      []nvs.Damage `json:"-"`
}

// Write brings the values of a job into the flash of the board with a MAC address.
// Those that are there already are not written, and all others stay. An encrypted
// partition gets keys from random when the board has none.
func (j *Job) Write(ctx context.Context, f Flash, mac [6]byte, random io.Reader) (s Summary, err error) {
	s = Summary{Partition: j.Partition.Name, Encrypted: j.Keys != nil, Changed: []string{}}
	entries, device, err := j.Entries(mac)
	if err != nil {
		return s, err
	}
	s.Device, s.Values = device, len(entries)
	pl := &Place{Flash: f, Entry: j.Partition}
	if j.Keys != nil {
		pl.Keys = j.Keys
		if s.NewKeys, err = pl.prepareKeys(ctx, random); err != nil {
			return s, err
		}
	}
	p, err := pl.Open(ctx)
	if err != nil {
		return s, fault.Wrap(fault.Usage, err, "", "espalier flash --erase-data "+j.Partition.Name+"   # gives up what it has")
	}
	s.Lost = p.Damage()
	var all []nvs.Op
	for _, e := range entries {
		ops, err := p.Set(e.Namespace, e.Key, e.Value)
		if err != nil {
			return s, fault.Wrap(fault.Usage, err, fmt.Sprintf("partition %s: %s.%s", j.Partition.Name, e.Namespace, e.Key))
		}
		if len(ops) > 0 {
			s.Changed = append(s.Changed, e.Namespace+"."+e.Key)
		}
		all = append(all, ops...)
	}
	return s, pl.Commit(ctx, all)
}

// prepareKeys makes keys when the board has none. Then the partition must be blank:
// plain values would not be read any more.
func (pl *Place) prepareKeys(ctx context.Context, random io.Reader) (made bool, err error) {
	keys, err := pl.readKeys(ctx)
	switch {
	case errors.Is(err, nvs.ErrNoKeys):
		b, err := pl.Flash.Read(ctx, pl.Entry.Offset, pl.Entry.Size)
		if err != nil {
			return false, err
		}
		if !isBlank(b) {
			return false, fault.New(fault.Usage, fmt.Sprintf("partition %s has content, and partition %s no keys: it cannot be encrypted as it is", pl.Entry.Name, pl.Keys.Name),
				"espalier flash --erase-data "+pl.Entry.Name+"   # gives up what it has")
		}
		if keys, err = nvs.NewKeys(random); err != nil {
			return false, err
		}
		blank := bytes.Repeat([]byte{0xff}, nvs.KeysSize)
		if err := pl.Flash.Do(ctx, pl.Keys.Offset, blank, []nvs.Op{{Offset: 0, Bytes: keys.Partition()}}); err != nil {
			return false, err
		}
		made = true
	case errors.Is(err, nvs.ErrBadKeys):
		return false, fault.Wrap(fault.Usage, err, "", fmt.Sprintf("espalier flash --erase-data %s,%s   # gives up what they have", pl.Entry.Name, pl.Keys.Name))
	case err != nil:
		return false, err
	}
	pl.Given = &keys
	return made, nil
}
