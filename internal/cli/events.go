package cli

// The fields of the events of single verbs. Those of files and boards are in
// package inspect, those of a board's lines in package console.

// flashedEvent is the event "flashed"; sizes in bytes.
type flashedEvent struct {
	OK       bool          `json:"ok"`
	Parts    []flashedPart `json:"parts"`
	Written  int           `json:"written"`
	Sent     int           `json:"sent"`
	Received int           `json:"received"`
	Seconds  float64       `json:"seconds"`
	Stub     bool          `json:"stub"`
	Patched  int           `json:"patched"`
	Retries  int           `json:"retries"`
}

// templateEvent is the event "template".
type templateEvent struct {
	Name string `json:"name"`
}

// newEvent is the event "new".
type newEvent struct {
	Directory string `json:"directory"`
	Package   string `json:"package"`
	Template  string `json:"template"`
}

// serveEvent is the event "serve": where a shared port can be opened.
type serveEvent struct {
	Port string `json:"port"`
}

type flashedPart struct {
	Name    string `json:"name"`
	Offset  string `json:"offset"`
	Size    int    `json:"size"`
	Written int    `json:"written"`
}

// portEvent is the event "port".
type portEvent struct {
	Name         string `json:"name"`
	Kind         string `json:"kind"`
	USB          string `json:"usb,omitempty"`
	Serial       string `json:"serial,omitempty"`
	Manufacturer string `json:"manufacturer,omitempty"`
	Product      string `json:"product,omitempty"`
	Likely       bool   `json:"likely"`
	Remembered   bool   `json:"remembered"`
	Denied       bool   `json:"denied"`
}

// setting is a value with where it was set.
type setting struct {
	Name   string `json:"name"`
	Env    string `json:"env,omitempty"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}
