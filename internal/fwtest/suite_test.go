package fwtest

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func program(name string, tests ...string) *Program {
	p := &Program{Name: name, kind: byAddress}
	for _, t := range tests {
		ignored := strings.HasSuffix(t, "!")
		p.Tests = append(p.Tests, Test{Name: strings.TrimSuffix(t, "!"), Ignored: ignored, Timeout: time.Second})
	}
	return p
}

func ids(jobs []Job) (out []string) {
	for _, j := range jobs {
		id := ID(j.Program, j.Test)
		if j.Test.Ignored {
			id += "!"
		}
		out = append(out, id)
	}
	return out
}

func TestFilter(t *testing.T) {
	all := []*Program{program("a", "net::get", "net::post!", "pin"), program("b", "net")}
	for _, c := range []struct {
		name string
		f    Filter
		want string
		left int
	}{
		{"all", Filter{}, "a net::get, a net::post!, a pin, b net", 0},
		{"name", Filter{Names: []string{"net::"}}, "a net::get, a net::post!", 2},
		{"names", Filter{Names: []string{"get", "pin"}}, "a net::get, a pin", 2},
		{"exact", Filter{Names: []string{"net"}, Exact: true}, "b net", 3},
		{"skip", Filter{Skip: []string{"net"}}, "a pin", 3},
		{"exact skip", Filter{Skip: []string{"net"}, Exact: true}, "a net::get, a net::post!, a pin", 1},
		{"ignored", Filter{Ignored: true}, "a net::post", 3},
		{"included", Filter{Included: true}, "a net::get, a net::post, a pin, b net", 0},
		{"first", Filter{First: []string{"b net", "a pin"}}, "a pin, b net, a net::get, a net::post!", 0},
		{"part", Filter{Partition: Partition{part: 2, of: 3}}, "a net::post!", 3},
	} {
		jobs, left := c.f.Select(all)
		if got := strings.Join(ids(jobs), ", "); got != c.want || left != c.left {
			t.Errorf("%s: %s (%d left out), want %s (%d)", c.name, got, left, c.want, c.left)
		}
	}
}

// The parts of a partition have each test once.
func TestPartition(t *testing.T) {
	var names []string
	for i := range 50 {
		names = append(names, fmt.Sprint("t", i))
	}
	all := []*Program{program("p", names...)}
	for _, how := range []string{"", "count:", "hash:"} {
		var got []string
		for part := 1; part <= 3; part++ {
			p, err := ParsePartition(fmt.Sprintf("%s%d/3", how, part))
			if err != nil {
				t.Fatal(err)
			}
			jobs, _ := Filter{Partition: p}.Select(all)
			if len(jobs) == 0 {
				t.Errorf("%s%d/3 is empty", how, part)
			}
			got = append(got, ids(jobs)...)
		}
		slices.Sort(got)
		if len(slices.Compact(got)) != 50 {
			t.Errorf("%s: %d tests", how, len(got))
		}
	}
	for _, bad := range []string{"", "1", "0/3", "4/3", "1/0", "-1/2", "every:1/2", "count:a/2", "1/2/3"} {
		if _, err := ParsePartition(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func results() (Summary, *Program) {
	p := program("suite", "good", "bad\"<&", "later!")
	p.Repeat = func(test string) string { return "espalier test '" + test + "'" }
	var s Summary
	s.Add(Result{Program: p, Test: p.Tests[0], Elapsed: 6 * time.Second, Attempts: 2, Seed: 2, Output: []string{"quiet"}})
	s.Add(Result{Program: p, Test: p.Tests[1], Outcome: Failed, Message: "panicked at src/lib.rs:7:9: no\nmore", Elapsed: time.Millisecond,
		Output: []string{"reading"}, Backtrace: []string{"0x42000010 read at src/lib.rs:7"}})
	s.Add(Result{Program: p, Test: p.Tests[2], Outcome: Ignored})
	return s, p
}

func TestPrint(t *testing.T) {
	s, _ := results()
	for format, want := range map[Format]string{
		Pretty: `
running 3 tests
test good ... ok (flaky: passes with seed 2; slow: 6s of guest time)
test bad"<& ... FAILED
test later ... ignored
`,
		Terse: `
running 3 tests
.Fi
`,
		JSON: `{"event":"started","test_count":3,"type":"suite"}
{"event":"started","name":"good","type":"test"}
{"event":"ok","exec_time":6,"name":"good","type":"test"}
`,
	} {
		var b strings.Builder
		p := Printer{W: &b, Format: format, Slow: time.Second}
		p.Start(3)
		for _, r := range s.Results {
			p.Result(r)
		}
		p.End(s)
		if !strings.HasPrefix(b.String(), want) {
			t.Errorf("%d:\n%s", format, b.String())
		}
		if format == JSON {
			continue
		}
		for _, part := range []string{"---- bad\"<& ----\nreading\npanicked at src/lib.rs:7:9: no\nmore, after 1ms of guest time\nbacktrace:\n  0x42000010",
			"repeat: espalier test 'bad\"<&'", "test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out"} {
			if !strings.Contains(b.String(), part) {
				t.Errorf("no %q in\n%s", part, b.String())
			}
		}
		if strings.Contains(b.String(), "quiet") {
			t.Errorf("the output of a test that passes is shown:\n%s", b.String())
		}
	}
}

// The elements of a report, as encoding/xml reads and writes them.
type (
	junit struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure,omitempty"`
		Skipped *struct{}     `xml:"skipped,omitempty"`
		Output  string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// With --nocapture the output of a test is shown once.
func TestPrintNoCapture(t *testing.T) {
	s, _ := results()
	for _, format := range []Format{Pretty, JSON} {
		var b strings.Builder
		p := Printer{W: &b, Format: format, NoCapture: true}
		for _, r := range s.Results {
			p.Result(r)
		}
		p.End(s)
		if n := strings.Count(b.String(), "reading"); n != 1 {
			t.Errorf("%d: the output is shown %d times:\n%s", format, n, b.String())
		}
	}
}

func TestJUnit(t *testing.T) {
	s, _ := results()
	s.Results[1].Output = []string{"\x00\x1b[31m]]>"}
	var doc junit
	b := JUnit(s.Results)
	if err := xml.Unmarshal(b, &doc); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	if doc.Tests != 3 || doc.Failures != 1 || doc.Skipped != 1 || len(doc.Suites) != 1 || doc.Suites[0].Time != "6.001000" {
		t.Errorf("%+v", doc)
	}
	if again, err := xml.MarshalIndent(doc, "", "  "); err != nil || xml.Header+string(again)+"\n" != string(b) {
		t.Errorf("%v\n%s\nencoding/xml writes\n%s", err, b, again)
	}
	if c := doc.Suites[0].Cases[1]; c.Name != `bad"<&` || c.Failure == nil || c.Output != "\ufffd\ufffd[31m]]>" {
		t.Errorf("%+v", c)
	}
}

// Every text comes back as it was, but for what XML cannot contain.
func FuzzJUnit(f *testing.F) {
	f.Add("a\tb\r\nc", "<&>\"']]>", "\xff\x00")
	f.Fuzz(func(t *testing.T, name, message, line string) {
		b := JUnit([]Result{{Program: &Program{Name: name}, Test: Test{Name: name}, Outcome: Failed, Message: message, Output: []string{line, line}}})
		var doc junit
		if err := xml.Unmarshal(b, &doc); err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		c := doc.Suites[0].Cases[0]
		if c.Name != plainXML(name) || c.Failure.Message != plainXML(message) || c.Output != plainXML(line+"\n"+line) {
			t.Errorf("%q %q %q: %+v", name, message, line, c)
		}
	})
}

func TestGitHub(t *testing.T) {
	s, _ := results()
	want := "::error file=src/lib.rs,line=7,title=suite bad\"<&::panicked at src/lib.rs:7:9: no%0Amore\n"
	if got := GitHub(s.Results); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestDefmtTest(t *testing.T) {
	p := &Program{Name: "d", kind: whole}
	got := Subtests(Result{Program: p, Test: Test{Name: "d"}, Outcome: Failed, Message: "panicked", Output: []string{
		"INFO  (1/3) running `first`...", "DEBUG note", "INFO  (2/3) ignoring `second`", "INFO  (3/3) running `third`...", "ERROR panicked",
	}})
	var text []string
	for _, r := range got {
		text = append(text, r.Test.Name+" "+r.Outcome.String()+" "+r.Message)
	}
	if want := "first ok , second ignored , third FAILED panicked"; strings.Join(text, ", ") != want {
		t.Errorf("%q, want %q", text, want)
	}
	if one := Subtests(Result{Program: p, Test: Test{Name: "d"}, Output: []string{"hello"}}); len(one) != 1 || one[0].Test.Name != "d" {
		t.Errorf("%+v", one)
	}
}

func TestListed(t *testing.T) {
	tests, err := listed([]byte(`{"version":1,"tests":[{"name":"tests::a","should_panic":true,"ignored":false,"timeout":3},{"name":"b"}]}`))
	want := []Test{{Name: "tests::a", ShouldPanic: true, Timeout: 3 * time.Second}, {Name: "b", Timeout: defaultLimit}}
	if err != nil || !slices.Equal(tests, want) {
		t.Errorf("%v, %v", tests, err)
	}
	for _, bad := range []string{"", "{}", `{"version":2,"tests":[]}`, `{"version":1,"tests":[{"name":""}]}`, `{"version":1,"tests":[{"name":"a b"}]}`,
		`{"version":1,"tests":[{"name":"a"},{"name":"a"}]}`, `{"version":1,"tests":[{"name":"\u001b[31m"}]}`} {
		if _, err := listed([]byte(bad)); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func FuzzListed(f *testing.F) {
	f.Add([]byte(`{"version":1,"tests":[{"name":"tests::a","should_panic":true,"timeout":3}]}`))
	f.Fuzz(func(t *testing.T, reply []byte) {
		tests, err := listed(reply)
		for _, x := range tests {
			if err == nil && checkName(x.Name) != nil {
				t.Errorf("name %q", x.Name)
			}
		}
	})
}
