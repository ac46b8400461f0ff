package cli

// The fields of the events of single verbs. Those of files and boards are in
// package inspect, those of a board's lines in package console.

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
