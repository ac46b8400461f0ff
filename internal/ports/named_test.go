package ports

import (
	"os"
	"path/filepath"
	"testing"
)

func TestIsPort(t *testing.T) {
	file := filepath.Join(t.TempDir(), "COM1.bin")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"tcp://127.0.0.1:7": true, "rfc2217://host:2217": true, "COM3": true, "com12": true, os.DevNull: true,
		file: false, "COM": false, "company": false, "firmware.elf": false, "https://example.com/a.bin": false,
	} {
		if got := IsPort(name); got != want {
			t.Errorf("IsPort(%q) = %v", name, got)
		}
	}
}
