package lock

// Decode reads espalier.lock strictly: unknown keys, bad digests, duplicate
// items and newer versions are faults of kind Pins with file, line and column.
// name stands in them.
func Decode(name string, b []byte) (*File, error) { return decode(name, b) }

// Encode writes the canonical form: sorted, one item per line group. It sorts
// f's slices. An invalid File is an error, never a file that Decode refuses.
func Encode(f *File) ([]byte, error) { return encode(f) }

// Read is Decode of a file. A missing file is fault.Pins with the command that
// makes it.
func Read(path string) (*File, error) { return read(path) }

// Write encodes f and replaces path with it: written aside, synced, renamed.
func Write(path string, f *File) error { return write(path, f) }
