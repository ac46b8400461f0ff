package partition

import (
	"bytes"
	"testing"
)

// FuzzParseCSV: what is accepted survives both encodings.
func FuzzParseCSV(f *testing.F) {
	f.Add([]byte("nvs,data,nvs,0x9000,0x6000\nfactory,app,factory,,1M,encrypted\n"))
	f.Add([]byte("# c\n\"a\",0x40,7,,-4M,\r\nb , app, ota_3, 64K, 0x10000\n"))
	f.Add(Default(0).CSV())
	f.Fuzz(func(t *testing.T, src []byte) {
		table, err := ParseCSV(src)
		if err != nil {
			return
		}
		table.Warnings()
		roundTrip(t, table)
	})
}

// FuzzParseBinary: likewise for the other form.
func FuzzParseBinary(f *testing.F) {
	f.Add(Default(0).Binary())
	f.Add(Default(16 << 20).Binary()[:160])
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		table, err := ParseBinary(b)
		if err != nil {
			return
		}
		roundTrip(t, table)
	})
}

func roundTrip(t *testing.T, table Table) {
	t.Helper()
	bin := table.Binary()
	fromBin, err := ParseBinary(bin)
	if err != nil {
		t.Fatalf("binary: %v", err)
	}
	known := true
	for _, e := range table.Entries {
		known = known && e.Flags&^(Encrypted|ReadOnly) == 0 && e.Subtype != 0xff
	}
	if !known {
		return // a CSV has no words for these
	}
	fromCSV, err := ParseCSV(fromBin.CSV())
	if err != nil {
		t.Fatalf("CSV: %v\n%s", err, fromBin.CSV())
	}
	if !bytes.Equal(fromCSV.Binary(), bin) {
		t.Fatalf("CSV changes the table:\n%s", fromBin.CSV())
	}
}
