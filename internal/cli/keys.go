package cli

import "unicode/utf8"

// The keys of a monitor. Everything else goes to the board.
const (
	keyMenu  = 0x14 // Ctrl-T
	keyLeave = 0x03 // Ctrl-C
	keyReset = 0x12 // Ctrl-R
)

const keyHelp = `keys: Ctrl-C leave, Ctrl-R reset the board; Ctrl-T and then:
  t  time before each line on or off
  f  show only lines with a text or /regex/ (empty: all)
  h  this help
  r, x  reset, leave
  Ctrl-C, Ctrl-R, Ctrl-T  send that key to the board`

// keyAction is what a key asks for.
type keyAction uint8

const (
	actSend   keyAction = iota // text goes to the board
	actLeave                   // end
	actReset                   // reset the board
	actStamps                  // timestamps on or off
	actHelp
	actPrompt // ask for a filter: text is what to show
	actEcho   // show text: the prompt is being typed into
	actFilter // text is the new filter
	actResume // the prompt is over, and all is as before
)

type keyEvent struct {
	act  keyAction
	text string
}

// keyReader turns keys into what they ask for. It decides on bytes only.
type keyReader struct {
	menu   bool
	prompt bool
	typed  []byte
}

// feed takes what was typed.
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
				out = append(out, keyEvent{act: actLeave})
			case keyMenu, keyLeave, keyReset:
				out = append(out, keyEvent{actSend, string(c)})
			default:
				out = append(out, keyEvent{act: actHelp})
			}
		case c == keyMenu:
			send(i)
			k.menu = true
		case c == keyLeave:
			send(i)
			out = append(out, keyEvent{act: actLeave})
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

// edit takes a key of the filter's prompt.
func (k *keyReader) edit(c byte) []keyEvent {
	switch {
	case c == '\r' || c == '\n':
		k.prompt = false
		return []keyEvent{{actEcho, "\n"}, {actFilter, string(k.typed)}}
	case c == keyLeave || c == 0x1b:
		k.prompt = false
		return []keyEvent{{actEcho, " (as before)\n"}, {act: actResume}}
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
