package scenario

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/internal/board"
)

// parseWokwi reads a scenario of Wokwi: the steps wait-serial, write-serial, delay,
// and expect-pin of the chip. Others, which need Wokwi's diagram of the board, are
// refused at their place.
func parseWokwi(name string, text []byte, on *board.Board) (*Scenario, error) {
	s := &Scenario{Name: name, Board: on}
	fail := func(n *yaml.Node, format string, args ...any) error {
		return &Error{name, Pos{max(1, n.Line), max(1, n.Column)}, fmt.Errorf(format, args...)}
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, &Error{name, Pos{1, 1}, err}
	}
	if doc.Kind != yaml.DocumentNode || doc.Content[0].Kind != yaml.MappingNode {
		return nil, &Error{name, Pos{1, 1}, errors.New("not a scenario: want a table with steps")}
	}
	steps := field(doc.Content[0], "steps")
	if steps == nil || steps.Kind != yaml.SequenceNode {
		return nil, fail(doc.Content[0], "not a scenario: want a list of steps")
	}
	if len(steps.Content) > maxSteps {
		return nil, fail(steps, "more than %d steps", maxSteps)
	}
	for _, n := range steps.Content {
		if n.Kind != yaml.MappingNode || len(n.Content) < 2 {
			return nil, fail(n, "a step is one name and its value")
		}
		key, value := n.Content[0], n.Content[1]
		st := Step{Pos: Pos{key.Line, key.Column}, Within: DefaultWithin}
		var err error
		switch key.Value {
		case "wait-serial":
			st.Action, st.Text = Expect, value.Value
			if value.Kind != yaml.ScalarNode || st.Text == "" {
				err = errors.New("want a text")
			}
		case "write-serial":
			st.Action, st.Text = Serial, value.Value
			if value.Kind != yaml.ScalarNode {
				err = errors.New("want a text")
			}
		case "delay":
			st.Action = Wait
			if st.Time, err = time.ParseDuration(value.Value); err != nil || st.Time < 0 || st.Time > maxTime {
				err = fmt.Errorf("%q is not a duration, such as 500ms", value.Value)
			}
		case "expect-pin":
			st.Action = ExpectPin
			err = st.wokwiPin(value)
		default:
			err = fmt.Errorf("the step %s needs a part of Wokwi's diagram: declare the part in a scenario of espalier (docs/testing.md)", key.Value)
		}
		if err != nil {
			return nil, fail(value, "%s: %w", key.Value, err)
		}
		s.Steps = append(s.Steps, st)
	}
	return s, nil
}

func field(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func (st *Step) wokwiPin(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return errors.New("want part-id, pin and value")
	}
	pin, value := field(n, "pin"), field(n, "value")
	if pin == nil || value == nil {
		return errors.New("want part-id, pin and value")
	}
	number, err := strconv.Atoi(pin.Value)
	if err != nil || number < 0 || number > maxPin {
		return fmt.Errorf("%q is not a pin of the chip", pin.Value)
	}
	st.Pin, st.Within = number, poll
	switch value.Value {
	case "0":
		st.Level = emu.Low
	case "1":
		st.Level = emu.High
	default:
		return fmt.Errorf("%q is not a level: 0 or 1", value.Value)
	}
	return nil
}
