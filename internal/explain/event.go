package explain

// Event is the event "explanation": one rule, or what there is without one.
type Event struct {
	Rule    string   `json:"rule,omitempty"`
	Title   string   `json:"title,omitempty"`
	Cause   string   `json:"cause,omitempty"`
	Cure    []string `json:"cure,omitempty"`
	Source  string   `json:"source,omitempty"`
	Line    *Line    `json:"line,omitempty"`    // of the log
	Telling []Line   `json:"telling,omitempty"` // without a rule: the lines that say most
}

// Event is the event of a rule.
func (r Rule) Event() Event {
	return Event{Rule: r.Name, Title: r.Title, Cause: r.Cause, Cure: r.Cure, Source: r.Source}
}
