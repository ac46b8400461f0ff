package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ports"
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
		Use:     "ports",
		Aliases: []string{"list-ports"},
		Short:   "list serial ports; remember one for the project",
		Long: `List the serial ports of this machine, boards first, with the probable chip of each.
--use remembers one for this project, by the serial number of its USB device, so that
the device may change its name. A port that you may not open is marked, and the
command that changes this is printed.` + command.Exits(fault.Port),
		Example: `  espalier ports
  espalier ports --use /dev/ttyACM0`,
		Args: command.Args(),
		RunE: func(*cobra.Command, []string) error {
			switch {
			case o.Forget:
				return ports.Forget(a.projectDir())
			case o.Use != "":
				return usePort(a, o.Use)
			}
			return listPorts(a)
		},
	}
	cmd.Flags().StringVar(&o.Use, "use", "", "remember `PORT` for this project")
	cmd.Flags().BoolVar(&o.Forget, "forget", false, "forget the remembered port")
	cmd.MarkFlagsMutuallyExclusive("use", "forget")
	return cmd
}

func listPorts(a *app) error {
	list, err := serial.List()
	if err != nil {
		return fault.Wrap(fault.Port, err, "listing serial ports")
	}
	showPorts(a, list, serial.Access)
	return nil
}

// showPorts lists ports, and what keeps the user from opening them.
func showPorts(a *app, list []serial.Info, access func(serial.Info) *serial.PermissionError) {
	if len(list) == 0 {
		a.ui.Note("no serial ports")
		a.ui.Hints("connect a board with a data cable", "without one: espalier run uses the emulated board")
		return
	}
	was, saved := ports.Recall(a.projectDir())
	var denied []serial.Info
	var remedies []string
	t := ui.Table{Head: []string{"Port", "Board", "USB", "Serial number", ""}}
	for _, i := range list {
		d := access(i)
		if d != nil {
			denied = append(denied, i)
			for _, h := range d.Hints() {
				if !slices.Contains(remedies, h) {
					remedies = append(remedies, h)
				}
			}
		}
		e := portEvent{i.Name, i.Kind.String(), "", i.Serial, i.Manufacturer, i.Product, i.Likely(), saved && was.Matches(i), d != nil}
		if i.VID != 0 {
			e.USB = fmt.Sprintf("%04x:%04x", i.VID, i.PID)
		}
		a.ui.Event("port", e)
		t.Rows = append(t.Rows, []string{i.Name, cmp.Or(i.Chip, i.Product, i.Kind.String()), e.USB, i.Serial, e.marks()})
	}
	a.ui.Table(t)
	if len(denied) > 0 {
		which := denied[0].Name
		if len(denied) > 1 {
			which = fmt.Sprintf("%d of these ports", len(denied))
		}
		a.ui.Note("you may not open %s", which)
		a.ui.Hints(remedies...)
	}
}

func (e portEvent) marks() string {
	var marks []string
	if e.Remembered {
		marks = append(marks, "remembered")
	}
	if e.Denied {
		marks = append(marks, "no permission")
	}
	return strings.Join(marks, ", ")
}

// usePort remembers a port for the project.
func usePort(a *app, name string) error {
	list, err := serial.List()
	if err != nil {
		a.ui.Debugf("listing serial ports: %v", err)
	}
	if err := ports.Remember(a.projectDir(), name, list); err != nil {
		return err
	}
	a.ui.Note("%s is the port of this project from now on", name)
	return nil
}
