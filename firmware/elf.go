package firmware

// ELF is an opened firmware.
type ELF struct{}

// Symbols joins an application and a mask ROM.
type Symbols struct{}
