package session

import "unicode/utf8"

// The keys of a session on a terminal. All others are sent to the board.
const (
	keyMenu  = 0x14 // Ctrl-T
	keyQuit  = 0x03 // Ctrl-C
	keyReset = 0x12 // Ctrl-R
)

const keyHelp = `keys: Ctrl-C quit, Ctrl-R reset the board; Ctrl-T and then:
  t  show or hide the time before each line
  f  show only lines with a text or /regex/ (empty: all)
  h  this help
  r, x  reset, quit
  Ctrl-C, Ctrl-R, Ctrl-T  send that key to the board`

// action is what a key asks for.
type action uint8

const (
	actSend   action = iota // send text to the board
	actQuit                 // end the session
	actReset                // reset the board
	actStamps               // show or hide timestamps
	actHelp                 // show keyHelp
	actPrompt               // begin to ask for a filter with text
	actEcho                 // show text: the prompt is being edited
	actFilter               // text is the new filter
	actCancel               // the prompt was cancelled
	actEnd                  // the input has ended; not a key
)

type keyEvent struct {
	act  action
	text string
}

// keyReader turns typed bytes into events.
type keyReader struct {
	menu   bool // Ctrl-T was pressed
	prompt bool // a filter is being edited
	typed  []byte
}

// feed takes bytes as a read returns them.
func (k *keyReader) feed(b []byte) (out []keyEvent) {
	from := 0
	send := func(to int) {
		if to > from {
			out = append(out, keyEvent{actSend, string(b[from:to])})
		}
		from = to + 1
	}
	for i, c := range b {
		switch {
		case k.prompt:
			from = i + 1
			out = append(out, k.edit(c)...)
		case k.menu:
			k.menu, from = false, i+1
			switch c {
			case 't', 'T':
				out = append(out, keyEvent{act: actStamps})
			case 'f', 'F', 0x06:
				k.prompt, k.typed = true, nil
				out = append(out, keyEvent{actPrompt, "show only: "})
			case 'r':
				out = append(out, keyEvent{act: actReset})
			case 'x', 'q':
				out = append(out, keyEvent{act: actQuit})
			case keyMenu, keyQuit, keyReset:
				out = append(out, keyEvent{actSend, string(c)})
			default:
				out = append(out, keyEvent{act: actHelp})
			}
		case c == keyMenu:
			send(i)
			k.menu = true
		case c == keyQuit:
			send(i)
			out = append(out, keyEvent{act: actQuit})
		case c == keyReset:
			send(i)
			out = append(out, keyEvent{act: actReset})
		}
	}
	if !k.prompt && !k.menu {
		send(len(b))
	}
	return out
}

// edit takes a byte of the filter's prompt.
func (k *keyReader) edit(c byte) []keyEvent {
	switch {
	case c == '\r' || c == '\n':
		k.prompt = false
		return []keyEvent{{actEcho, "\n"}, {actFilter, string(k.typed)}}
	case c == keyQuit || c == 0x1b:
		k.prompt = false
		return []keyEvent{{actEcho, " (unchanged)\n"}, {act: actCancel}}
	case c == 0x7f || c == 0x08:
		if n := len(k.typed); n > 0 {
			_, size := utf8.DecodeLastRune(k.typed)
			k.typed = k.typed[:n-size]
			return []keyEvent{{actEcho, "\b \b"}}
		}
	case c >= 0x20:
		k.typed = append(k.typed, c)
		return []keyEvent{{actEcho, string([]byte{c})}}
	}
	return nil
}
