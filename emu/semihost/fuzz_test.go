package semihost

import (
	"bytes"
	"io/fs"
	"testing"
	"time"

	"espalier.dev/espalier/rv32"
)

// memFile is a File in memory.
type memFile struct {
	*bytes.Reader
	info memInfo
}

func (f memFile) Write(p []byte) (int, error) { return len(p), nil }
func (f memFile) Close() error                { return nil }
func (f memFile) Stat() (fs.FileInfo, error)  { return f.info, nil }

type memInfo struct{ size int64 }

func (i memInfo) Name() string     { return "file" }
func (i memInfo) Size() int64      { return i.size }
func (memInfo) Mode() fs.FileMode  { return 0o666 }
func (memInfo) ModTime() time.Time { return time.Time{} }
func (memInfo) IsDir() bool        { return false }
func (memInfo) Sys() any           { return nil }

// memFiles has a file of any name.
type memFiles struct{}

func (memFiles) OpenFile(string, Mode) (File, error) {
	return memFile{bytes.NewReader([]byte("content")), memInfo{7}}, nil
}
func (memFiles) Remove(string) error         { return nil }
func (memFiles) Rename(string, string) error { return fs.ErrExist }

// FuzzCalls makes calls with any operation and any parameter block.
func FuzzCalls(f *testing.F) {
	f.Add([]byte{sysOpen, 0, 0x40, 0x30, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0}, []byte(":tt"))
	f.Add([]byte{sysRead, 1, 1, 0, 0, 0, 0, 0x30, 0, 0, 0xff, 0xff, 0xff, 0xff}, []byte("file"))
	f.Add([]byte{sysExitExtended, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0}, []byte{})
	f.Add([]byte{sysRename, 4, 0x40, 0x30, 0, 0, 4, 0, 0, 0, 0x40, 0x30, 0, 0}, []byte("name"))
	f.Fuzz(func(t *testing.T, calls, data []byte) {
		g := newGuest(t, rv32.EngineBlock)
		g.host.Files = memFiles{}
		g.cpu.Memory().Write(dataBase+0x40, data[:min(len(data), 0x400)])
		for ; len(calls) >= 14; calls = calls[14:] {
			g.cpu.Memory().Write(dataBase, calls[2:14])
			g.call(uint32(calls[0])|uint32(calls[1]&1)<<8, dataBase+uint32(calls[1]>>1)*64)
		}
		g.host.Reset()
	})
}
