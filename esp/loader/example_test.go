package loader_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/emuport"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/serial"
)

func TestMain(m *testing.M) { os.Exit(devtest.Examples(m, "^Example", "hello.elf")) }

// A program in the place of an application goes to the flash of a chip, a second
// time only its digest is compared.
func ExampleConnect() {
	port, err := emulated() // or serial.Open(ctx, "/dev/ttyACM0", …)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer port.Close()
	ctx := context.Background()
	chip, err := loader.Connect(ctx, port, loader.Options{Baud: 460800})
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := chip.Identity(ctx)
	fmt.Printf("%x revision %d %v\n", id.MAC, id.Revision, err)

	settings := loader.Part{Name: "settings", Offset: 0x9000, Bytes: bytes.Repeat([]byte("21.5 "), 1000)}
	for range 2 {
		sum, err := chip.Write(ctx, []loader.Part{settings}, loader.WriteOptions{})
		fmt.Println(sum.Bytes, "bytes written,", err)
	}
	back, err := chip.Read(ctx, 0x9000, 10, nil)
	fmt.Printf("%q %v\n", back, err)
	// Output:
	// 7cdfa1c30001 revision 4 <nil>
	// 8192 bytes written, <nil>
	// 0 bytes written, <nil>
	// "21.5 21.5 " <nil>
}

// emulated is the port of an emulated chip with Espressif's mask ROM.
func emulated() (serial.Port, error) {
	ctx := context.Background()
	st, err := store.Open(ctx, os.Getenv("ESPALIER_STORE"))
	if err != nil {
		return nil, err
	}
	defer st.Close()
	rom, err := chipfiles.Own().ROM(ctx, st, chipfiles.EmulatedRevision)
	if err != nil {
		return nil, err
	}
	return emuport.New(emu.Config{ROM: rom, Flash: bytes.Repeat([]byte{0xff}, 4<<20)}, emuport.Options{})
}
