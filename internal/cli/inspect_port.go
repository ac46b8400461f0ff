package cli

import (
	"context"
	"fmt"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/ui"
)

// inspectPort shows the chip of a board: revision, MAC address, flash, security.
func inspectPort(ctx context.Context, a *app, o portOptions) error {
	b, err := connectBoard(ctx, a, o, nil)
	if err != nil {
		return err
	}
	return b.Close(ctx, showChip(ctx, a, b.Info().Name, b.Loader))
}

func showChip(ctx context.Context, a *app, port string, l *loader.Loader) error {
	s := l.Security()
	onOff := func(b bool) string {
		if b {
			return "on"
		}
		return "off"
	}
	rows := [][2]string{{"port", port}}
	e := struct {
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
	}{Port: port, Chip: "esp32c3", SecureBoot: s.SecureBoot(), Encryption: s.Encrypted(), SecureDownload: s.SecureDownload(), JTAGOff: s.JTAGOff(), KeyPurposes: s.KeyPurpose}
	if !s.SecureDownload() {
		id, err := l.Identity(ctx)
		if err != nil {
			return err
		}
		f, err := l.FlashID(ctx)
		if err != nil {
			return err
		}
		e.Package, e.MAC = id.PackageName(), fmt.Sprintf("%x:%x:%x:%x:%x:%x", id.MAC[:1], id.MAC[1:2], id.MAC[2:3], id.MAC[3:4], id.MAC[4:5], id.MAC[5:])
		e.Revision = fmt.Sprintf("v%d.%d", id.Revision/100, id.Revision%100)
		e.Block = fmt.Sprintf("v%d.%d", id.Block/100, id.Block%100)
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
	a.ui.Event("chip", e)
	a.ui.Fields(rows...)
	return nil
}
