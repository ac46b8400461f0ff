package fwtest

import "time"

// Summary counts results.
type Summary struct {
	Passed, Failed, Ignored, Filtered int
	Flaky                             int // passed after a retry
	Results                           []Result
	Wall                              time.Duration
}

// Add counts a result.
func (s *Summary) Add(r Result) {
	s.Results = append(s.Results, r)
	switch r.Outcome {
	case Passed:
		s.Passed++
		if r.Attempts > 1 {
			s.Flaky++
		}
	case Failed:
		s.Failed++
	case Ignored:
		s.Ignored++
	}
}

// Failures returns the failed tests, each once.
func (s *Summary) Failures() []Result {
	var out []Result
	for _, r := range s.Results {
		if r.Outcome == Failed {
			out = append(out, r)
		}
	}
	return out
}
