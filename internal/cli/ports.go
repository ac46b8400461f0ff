package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/serial"
)

type portsOptions struct {
	Use    string
	Forget bool
}

func newPorts(a *app) *cobra.Command {
	var o portsOptions
	cmd := &cobra.Command{
		Use:   "ports",
		Short: "the boards that are connected",
		Long: `List the serial ports of this machine, boards first, and what is probably behind
each. --use remembers one for this project, by the serial number of its USB device,
so that another name tomorrow does not matter. A port that you may not open is
marked, and what would change that is printed, to be pasted.` + exits(fault.Port),
		Example: `  espalier ports
  espalier ports --use /dev/ttyACM0`,
		Args: args(),
		RunE: func(*cobra.Command, []string) error {
			switch {
			case o.Forget:
				return a.forgetPort()
			case o.Use != "":
				return a.usePort(o.Use)
			}
			return a.ports()
		},
	}
	cmd.Flags().StringVar(&o.Use, "use", "", "remember `PORT` for this project")
	cmd.Flags().BoolVar(&o.Forget, "forget", false, "forget what was remembered")
	cmd.MarkFlagsMutuallyExclusive("use", "forget")
	return cmd
}

func (a *app) ports() error {
	list, err := serial.List()
	if err != nil {
		return fault.Wrap(fault.Port, err, "listing serial ports")
	}
	return a.showPorts(list, serial.Access)
}

// showPorts lists ports, and what keeps the user from opening them.
func (a *app) showPorts(list []serial.Info, access func(serial.Info) *serial.PermissionError) error {
	was, saved := a.rememberedPort()
	var denied []serial.Info
	var remedies []string
	t := ui.Table{Head: []string{"Port", "Board", "USB", "Serial number", ""}}
	for _, i := range list {
		mark := ""
		if saved && was.is(i) {
			mark = "remembered"
		}
		d := access(i)
		if d != nil {
			mark = strings.TrimPrefix(mark+", no permission", ", ")
			denied = append(denied, i)
			for _, h := range d.Hints() {
				if !slices.Contains(remedies, h) {
					remedies = append(remedies, h)
				}
			}
		}
		usb := ""
		if i.VID != 0 {
			usb = fmt.Sprintf("%04x:%04x", i.VID, i.PID)
		}
		what := i.Product
		if i.Chip != "" {
			what = i.Chip
		}
		if what == "" {
			what = i.Kind.String()
		}
		t.Rows = append(t.Rows, []string{i.Name, what, usb, i.Serial, mark})
		a.ui.Event("port", struct {
			Name         string `json:"name"`
			Kind         string `json:"kind"`
			USB          string `json:"usb,omitempty"`
			Serial       string `json:"serial,omitempty"`
			Manufacturer string `json:"manufacturer,omitempty"`
			Product      string `json:"product,omitempty"`
			Likely       bool   `json:"likely"`
			Remembered   bool   `json:"remembered"`
			Denied       bool   `json:"denied"`
		}{i.Name, i.Kind.String(), usb, i.Serial, i.Manufacturer, i.Product, i.Likely(), saved && was.is(i), d != nil})
	}
	if len(list) == 0 {
		a.ui.Note("no serial ports")
		a.ui.Hints("connect a board with a data cable", "without one: espalier run uses the emulated board")
		return nil
	}
	a.ui.Table(t)
	if len(denied) > 0 {
		what := denied[0].Name
		if len(denied) > 1 {
			what = fmt.Sprintf("%d of these ports", len(denied))
		}
		a.ui.Note("you may not open %s", what)
		a.ui.Hints(remedies...)
	}
	return nil
}

func (a *app) usePort(name string) error {
	path, err := a.savedPortPath()
	if err != nil {
		return err
	}
	s := savedPort{Name: name}
	if list, err := serial.List(); err == nil {
		if i := slices.IndexFunc(list, func(i serial.Info) bool { return i.Name == name }); i >= 0 {
			s = savedPort{Name: name, VID: list[i].VID, PID: list[i].PID, Serial: list[i].Serial}
		}
	}
	b, err := json.Marshal(s)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o777)
	}
	if err == nil {
		err = writeChanged(path, append(b, '\n'))
	}
	return fault.Wrap(fault.Usage, err, "remembering the port")
}

func (a *app) forgetPort() error {
	path, err := a.savedPortPath()
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return fault.Wrap(fault.Usage, err, "forgetting the port")
	}
	return nil
}
