package cli

// otherWords maps verbs of espflash, esptool, cargo-espflash and probe-rs to the
// command that does the same here.
func otherWords() map[string]string {
	return map[string]string{
		"board-info":      "espalier inspect --port PORT",
		"chip-id":         "espalier inspect --port PORT",
		"flash-id":        "espalier inspect --port PORT",
		"read-mac":        "espalier inspect --port PORT",
		"save-image":      "espalier build --out DIR",
		"elf2image":       "espalier build --out DIR",
		"merge-bin":       "espalier build --out DIR",
		"image-info":      "espalier inspect FILE",
		"partition-table": "espalier inspect FILE",
		"erase-flash":     "espalier erase --all",
		"erase-region":    "espalier erase OFFSET SIZE",
		"erase-parts":     "espalier erase --partition NAME",
		"write-flash":     "espalier flash FILE --at OFFSET",
		"write-bin":       "espalier flash FILE --at OFFSET",
		"verify-flash":    "espalier flash FILE",
		"dump-mem":        "espalier read-flash OFFSET SIZE FILE",
		"attach":          "espalier monitor",
		"simulate":        "espalier emulate FILE",
		"completions":     "espalier completion SHELL",
		"init":            "espalier new NAME",
		"generate":        "espalier new NAME",
	}
}
