package monitor_test

import (
	"fmt"
	"time"

	"espalier.dev/espalier/monitor"
)

// printer prints lines and crashes.
type printer struct{}

func (printer) Line(l monitor.Line)      { fmt.Printf("%v %s: %s\n", l.At, l.Stream, l.Text) }
func (printer) Report(r *monitor.Report) { fmt.Println("crash:", r.Message) }

// Bytes of a board become lines, and a text that was expected decides the result.
func Example() {
	expect, err := monitor.ParseRules([]string{"200 OK"})
	if err != nil {
		fmt.Println(err)
		return
	}
	m := monitor.New(monitor.Options{Expect: expect}, printer{})
	m.Write(monitor.UART0, 10*time.Millisecond, []byte("got ip 192.1"))
	m.Write(monitor.UART0, 11*time.Millisecond, []byte("68.71.100\nHTTP/1.0 200 OK\n"))
	fmt.Println(m.Done(), m.Result().Err())
	// Output:
	// 10ms uart0: got ip 192.168.71.100
	// 11ms uart0: HTTP/1.0 200 OK
	// true <nil>
}
