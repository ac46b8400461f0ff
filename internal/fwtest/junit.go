package fwtest

import (
	"fmt"
	"strings"
	"time"
)

// JUnit is a report of results, in the XML that CI systems read as JUnit's: a test
// suite for each program. Times are guest time, so the same tests give the same
// bytes.
//
// It is written here and not by encoding/xml, which reads and reflects as well: a
// tenth of a megabyte of the program for one format with five elements.
func JUnit(results []Result) []byte {
	type suite struct {
		name                    string
		tests, failures, ignore int
		elapsed                 time.Duration
		cases                   strings.Builder
	}
	var all suite
	var suites []*suite
	index := map[*Program]*suite{}
	for _, r := range results {
		s := index[r.Program]
		if s == nil {
			s = &suite{name: r.Program.Name}
			index[r.Program] = s
			suites = append(suites, s)
		}
		s.tests, all.tests = s.tests+1, all.tests+1
		s.elapsed += r.Elapsed
		w := &s.cases
		fmt.Fprintf(w, "    <testcase name=%s classname=%s time=%s>", attr(r.Test.Name), attr(r.Program.Name), attr(seconds(r.Elapsed)))
		switch r.Outcome {
		case Failed:
			s.failures, all.failures = s.failures+1, all.failures+1
			fmt.Fprintf(w, "\n      <failure message=%s>%s</failure>", attr(r.Message), escape(strings.Join(r.Backtrace, "\n")))
			if len(r.Output) > 0 {
				fmt.Fprintf(w, "\n      <system-out>%s</system-out>", escape(strings.Join(r.Output, "\n")))
			}
			w.WriteString("\n    ")
		case Ignored:
			s.ignore, all.ignore = s.ignore+1, all.ignore+1
			w.WriteString("\n      <skipped></skipped>\n    ")
		}
		w.WriteString("</testcase>\n")
	}
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	fmt.Fprintf(&b, "<testsuites tests=\"%d\" failures=\"%d\" skipped=\"%d\">\n", all.tests, all.failures, all.ignore)
	for _, s := range suites {
		fmt.Fprintf(&b, "  <testsuite name=%s tests=\"%d\" failures=\"%d\" skipped=\"%d\" time=%s>\n%s  </testsuite>\n",
			attr(s.name), s.tests, s.failures, s.ignore, attr(seconds(s.elapsed)), s.cases.String())
	}
	b.WriteString("</testsuites>\n")
	return []byte(b.String())
}

// attr returns the value of an attribute, in quotes. Line feeds are escaped, too: a
// reader of XML makes spaces of them in an attribute.
func attr(s string) string { return `"` + strings.ReplaceAll(escape(s), "\n", "&#xA;") + `"` }

// escape returns s as character data.
func escape(s string) string { return escapes.Replace(plainXML(s)) }

var escapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;",
	"\t", "&#x9;", "\r", "&#xD;")

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
