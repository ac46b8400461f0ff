package scenario

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"espalier.dev/espalier/internal/board"
)

// Beside reads the scenario that belongs to a source file: that of its name with
// .scenario, or .scenario.yaml for one of Wokwi's. name is without an extension, on
// as for Parse. It is nil when there is none; both are an error.
func Beside(name string, on *board.Board) (*Scenario, error) {
	var found *Scenario
	for _, ext := range []string{".scenario", ".scenario.yaml", ".scenario.yml"} {
		text, err := os.ReadFile(name + ext)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the scenario: %w", err)
		}
		if found != nil {
			return nil, fmt.Errorf("two scenarios for %s: %s and %s", filepath.Base(name), found.Name, filepath.Base(name+ext))
		}
		if found, err = Parse(filepath.Base(name+ext), text, on); err != nil {
			return nil, err
		}
	}
	return found, nil
}
