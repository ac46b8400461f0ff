package ports

import (
	"fmt"
	"slices"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/serial"
)

// Sources are the places that may say which port to use.
type Sources struct {
	Name   string                      // as given on the command line; "" is none
	Lookup func(string) (string, bool) // of environment variables
	Dir    string                      // of the project
	// List returns the ports of this machine; nil is serial.List.
	List func() ([]serial.Info, error)
}

// Variables are the environment variables that name a port, in their order:
// espalier's own, espflash's and esptool's.
func Variables() []string { return []string{"ESPALIER_PORT", "ESPFLASH_PORT", "ESPTOOL_PORT"} }

// Choice is a port with the reason for it.
type Choice struct {
	Name   string // as serial.Open takes it
	Origin string // "the command line", "environment ESPALIER_PORT", ...
}

// Choose decides which port is meant. It opens none. Errors are of kind
// fault.Port: no board, several boards, or the remembered board is not connected.
func Choose(s Sources) (Choice, error) {
	if s.Name != "" {
		return Choice{s.Name, "the command line"}, nil
	}
	for _, v := range Variables() {
		if name, ok := s.Lookup(v); ok && name != "" {
			return Choice{name, "environment " + v}, nil
		}
	}
	list := s.List
	if list == nil {
		list = serial.List
	}
	// Without a list a remembered name is still good; the rest then reports that
	// no board is connected.
	all, _ := list()
	if r, ok := Recall(s.Dir); ok {
		if i := slices.IndexFunc(all, r.Matches); i >= 0 {
			return Choice{all[i].Name, "remembered for this project"}, nil
		}
		if r.Serial == "" {
			return Choice{r.Name, "remembered for this project"}, nil
		}
		return Choice{}, fault.New(fault.Port, fmt.Sprintf("the board of this project (%s, serial number %s) is not connected", r.Name, r.Serial),
			"espalier ports", "espalier ports --forget")
	}
	likely := slices.DeleteFunc(slices.Clone(all), func(i serial.Info) bool { return !i.Likely() })
	if len(likely) == 1 {
		return Choice{likely[0].Name, "the only board"}, nil
	}
	return Choice{}, undecided(likely, len(all))
}

// undecided is the error for no board or several.
func undecided(likely []serial.Info, all int) error {
	if len(likely) == 0 {
		hints := []string{"connect one with a data cable, or name it with --port", "without one: espalier run uses the emulated board"}
		if all > 0 {
			hints = append(hints, fmt.Sprintf("espalier ports lists %d other ports", all))
		}
		return fault.New(fault.Port, "no board is connected", hints...)
	}
	var hints []string
	for _, i := range likely {
		hints = append(hints, "--port "+i.Name+"    ("+Describe(i)+")")
	}
	return fault.New(fault.Port, fmt.Sprintf("%d boards are connected", len(likely)),
		append(hints, "espalier ports --use PORT remembers one for this project")...)
}

// Describe returns a port's product, or kind, and its serial number.
func Describe(i serial.Info) string {
	text := i.Kind.String()
	if i.Product != "" {
		text = i.Product
	}
	if i.Serial != "" {
		text += ", " + i.Serial
	}
	return text
}
