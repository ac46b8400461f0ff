package ports

import (
	"os"
	"strings"
)

// IsPort reports whether a name that may also be that of a file is the name of a
// port: an address, a device, or COM and a number.
func IsPort(name string) bool {
	if strings.HasPrefix(name, "tcp://") || strings.HasPrefix(name, "rfc2217://") {
		return true
	}
	if n, ok := strings.CutPrefix(strings.ToUpper(name), "COM"); ok && n != "" && strings.Trim(n, "0123456789") == "" {
		return true
	}
	st, err := os.Stat(name)
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}
