package inspect

import (
	"context"
	"fmt"
	"strings"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/ui"
)

// Chip is the event "chip". In Secure Download mode only its security is known.
type Chip struct {
	Port           string   `json:"port"`
	Chip           string   `json:"chip"`
	Package        string   `json:"package,omitempty"`
	Revision       string   `json:"revision,omitempty"`
	Block          string   `json:"efuse-block,omitempty"`
	MAC            string   `json:"mac,omitempty"`
	Flash          string   `json:"flash,omitempty"`
	FlashSize      uint32   `json:"flash-size,omitempty"`
	FlashInside    uint32   `json:"flash-in-package,omitempty"`
	SecureBoot     bool     `json:"secure-boot"`
	Encryption     bool     `json:"flash-encryption"`
	SecureDownload bool     `json:"secure-download"`
	JTAGOff        bool     `json:"jtag-off"`
	KeyPurposes    [7]uint8 `json:"key-purposes"`
}

// EventName implements Event.
func (Chip) EventName() string { return "chip" }

// Board describes the chip whose loader is l: revision, MAC address, flash,
// security. port is its port's name.
func Board(ctx context.Context, port string, l *loader.Loader) (View, error) {
	s := l.Security()
	onOff := func(b bool) string {
		if b {
			return "on"
		}
		return "off"
	}
	rows := [][2]string{{"port", port}}
	e := Chip{
		Port: port, Chip: "esp32c3", SecureBoot: s.SecureBoot(), Encryption: s.Encrypted(), SecureDownload: s.SecureDownload(), JTAGOff: s.JTAGOff(), KeyPurposes: s.KeyPurpose,
	}
	if !s.SecureDownload() {
		id, err := l.Identity(ctx)
		if err != nil {
			return View{}, err
		}
		f, err := l.FlashID(ctx)
		if err != nil {
			return View{}, err
		}
		e.Package, e.MAC = id.PackageName(), strings.ReplaceAll(fmt.Sprintf("% x", id.MAC), " ", ":")
		e.Revision = revision(id.Revision)
		e.Block = revision(id.Block)
		e.Flash, e.FlashSize, e.FlashInside = f.String(), f.Size, id.FlashInside
		where := "a separate chip, or unknown"
		if id.FlashInside != 0 {
			where = "in the package: " + ui.Size(int64(id.FlashInside))
		}
		rows = append(rows, [2]string{"chip", e.Package + ", revision " + e.Revision}, [2]string{"eFuse block", e.Block}, [2]string{"MAC address", e.MAC},
			[2]string{"flash", ui.Size(int64(f.Size)) + ", " + e.Flash}, [2]string{"", where})
	} else {
		rows = append(rows, [2]string{"chip", "ESP32-C3; more cannot be read in Secure Download mode"})
	}
	rows = append(rows, [2]string{"secure boot", onOff(s.SecureBoot())}, [2]string{"flash encryption", onOff(s.Encrypted())},
		[2]string{"secure download", onOff(s.SecureDownload())}, [2]string{"JTAG", onOff(!s.JTAGOff())})
	return View{Event: e, Parts: []Part{{Fields: rows}}}, nil
}
