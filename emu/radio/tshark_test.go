package radio

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/internal/devtest"
)

// pcapFile is a classic capture file with radiotap headers.
type pcapFile struct{ b []byte }

func (p *pcapFile) take(at emu.Time, packet []byte) {
	le := binary.LittleEndian
	if p.b == nil {
		for _, v := range []uint32{0xa1b2c3d4, 2 | 4<<16, 0, 0, 1 << 16, 127} {
			p.b = le.AppendUint32(p.b, v)
		}
	}
	micros := uint64(at) / uint64(emu.Microsecond)
	for _, v := range []uint32{uint32(micros / 1e6), uint32(micros % 1e6), uint32(len(packet)), uint32(len(packet))} {
		p.b = le.AppendUint32(p.b, v)
	}
	p.b = append(p.b, packet...)
}

// Wireshark decodes the frames on the medium, decrypts them with the passphrase
// alone, and reports no malformed or retransmitted frame.
func TestWiresharkDecodesMedium(t *testing.T) {
	devtest.Long(t, "firmware and tshark run for seconds")
	tshark := devtest.Tool(t, "tshark")
	for name, c := range map[string]setup{
		"plain":         {firmware: newLine},
		"with 802.11n":  {firmware: newLine, ap: Config{HT: true}},
		"group rekeyed": {firmware: oldLine, ap: Config{GroupRekey: 400 * emu.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			var p pcapFile
			c.capture = p.take
			s := newTestbed(t, c)
			s.until("200 OK", 5*emu.Second)
			s.board.Run(t.Context(), emu.Limit(900*time.Millisecond))
			file := filepath.Join(t.TempDir(), "wlan.pcap")
			if err := os.WriteFile(file, p.b, 0o666); err != nil {
				t.Fatal(err)
			}
			read := func(args ...string) []string {
				t.Helper()
				args = append([]string{"-r", file, "-o", "wlan.enable_decryption:TRUE", "-o", `uat:80211_keys:"wpa-pwd","` + testPassphrase + ":" + testSSID + `"`}, args...)
				out, err := exec.CommandContext(t.Context(), tshark, args...).Output()
				if err != nil {
					t.Fatalf("tshark %v: %v", args, err)
				}
				return strings.Fields(string(out))
			}
			if got := read("-Y", "http.response", "-T", "fields", "-e", "http.response.code"); len(got) == 0 || got[0] != "200" {
				t.Errorf("HTTP responses: %q", got)
			}
			if got := read("-Y", "dhcp", "-T", "fields", "-e", "dhcp.option.dhcp"); len(got) < 4 {
				t.Errorf("DHCP messages: %q", got)
			}
			if got := read("-Y", "eapol.type == 3", "-T", "fields", "-e", "wlan_rsna_eapol.keydes.msgnr"); len(got) < 4 || strings.Join(got[:4], "") != "1234" {
				t.Errorf("messages of the handshake: %q", got)
			}
			if got := read("-Y", "_ws.malformed || tcp.analysis.retransmission || wlan.fc.retry == 1", "-T", "fields", "-e", "frame.number", "-e", "frame.protocols"); len(got) > 0 {
				t.Errorf("malformed or repeated: %q", got)
			}
			if c.ap.GroupRekey > 0 {
				if got := read("-Y", "wlan_rsna_eapol.keydes.key_info.key_type == 0", "-T", "fields", "-e", "frame.number"); len(got) < 2 {
					t.Errorf("messages of the group key handshake: %q", got)
				}
			}
		})
	}
}
