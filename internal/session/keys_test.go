package session

import (
	"reflect"
	"testing"
)

func TestKeys(t *testing.T) {
	for _, c := range []struct {
		name  string
		typed []string // as reads deliver it
		want  []keyEvent
	}{
		{"to the board", []string{"AT\r"}, []keyEvent{{actSend, "AT\r"}}},
		{"quit", []string{"\x03"}, []keyEvent{{act: actQuit}}},
		{"in the middle", []string{"a\x12b"}, []keyEvent{{actSend, "a"}, {act: actReset}, {actSend, "b"}}},
		{"menu", []string{"\x14t"}, []keyEvent{{act: actStamps}}},
		{"menu over two reads", []string{"x\x14", "ty"}, []keyEvent{{actSend, "x"}, {act: actStamps}, {actSend, "y"}}},
		{"keys of the menu themselves", []string{"\x14\x03\x14\x12\x14\x14"}, []keyEvent{{actSend, "\x03"}, {actSend, "\x12"}, {actSend, "\x14"}}},
		{"unknown key of the menu", []string{"\x14?"}, []keyEvent{{act: actHelp}}},
		{"filter", []string{"\x14fWA", "x\x7fR\r", "y"}, []keyEvent{{actPrompt, "show only: "}, {actEcho, "W"}, {actEcho, "A"}, {actEcho, "x"}, {actEcho, "\b \b"}, {actEcho, "R"}, {actEcho, "\n"}, {actFilter, "WAR"}, {actSend, "y"}}},
		{"filter cancelled", []string{"\x14fW\x03z"}, []keyEvent{{actPrompt, "show only: "}, {actEcho, "W"}, {actEcho, " (unchanged)\n"}, {act: actCancel}, {actSend, "z"}}},
		{"a letter of two bytes deleted", []string{"\x14f\xc3\xbc\x7fx\r"}, []keyEvent{{actPrompt, "show only: "}, {actEcho, "\xc3"}, {actEcho, "\xbc"}, {actEcho, "\b \b"}, {actEcho, "x"}, {actEcho, "\n"}, {actFilter, "x"}}},
		{"escape sequences pass", []string{"\x1b[A"}, []keyEvent{{actSend, "\x1b[A"}}},
	} {
		var k keyReader
		var got []keyEvent
		for _, s := range c.typed {
			got = append(got, k.feed([]byte(s))...)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q\nwant %q", c.name, got, c.want)
		}
	}
}
