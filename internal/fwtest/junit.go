package fwtest

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// junit is the XML that CI systems read as JUnit's.
type junit struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitFailure `xml:"failure,omitempty"`
	Skipped *struct{}     `xml:"skipped,omitempty"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// JUnit is a report of results, a test suite for each program. Times are guest
// time, so the same tests give the same bytes.
func JUnit(results []Result) []byte {
	var doc junit
	index := map[*Program]int{}
	elapsed := map[*Program]time.Duration{}
	for _, r := range results {
		i, ok := index[r.Program]
		if !ok {
			i = len(doc.Suites)
			index[r.Program] = i
			doc.Suites = append(doc.Suites, junitSuite{Name: r.Program.Name})
		}
		s := &doc.Suites[i]
		c := junitCase{Name: plainXML(r.Test.Name), Class: r.Program.Name, Time: seconds(r.Elapsed)}
		s.Tests, doc.Tests = s.Tests+1, doc.Tests+1
		elapsed[r.Program] += r.Elapsed
		switch r.Outcome {
		case Failed:
			s.Failures, doc.Failures = s.Failures+1, doc.Failures+1
			c.Failure = &junitFailure{plainXML(r.Message), plainXML(strings.Join(r.Backtrace, "\n"))}
			c.Output = plainXML(strings.Join(r.Output, "\n"))
		case Ignored:
			s.Skipped, doc.Skipped = s.Skipped+1, doc.Skipped+1
			c.Skipped = &struct{}{}
		}
		s.Cases = append(s.Cases, c)
		s.Time = seconds(elapsed[r.Program])
	}
	b, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		panic("fwtest: " + err.Error()) // strings and numbers
	}
	return append(append([]byte(xml.Header), b...), '\n')
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.6f", d.Seconds()) }

// plainXML replaces characters that XML 1.0 cannot contain.
func plainXML(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r', r >= 0x20 && r <= 0xd7ff, r >= 0xe000 && r <= 0xfffd, r >= 0x10000:
			return r
		}
		return '\ufffd'
	}, s)
}
