package chip

// stateVersion changes when the walk over the state does.
const stateVersion = 5

// State walks over everything: CPU, guest time, chip, timers and inputs.
func (m *Machine) State(s *State) {
	s.Expect("version", stateVersion)
	cpu := m.CPU.State()
	s.Fixed(&cpu, &m.clock, &m.trace, &m.reset, &m.halted, &m.period)
	m.chip.State(s)
	m.timers.state(s)
	m.inputs.state(s)
	for _, walk := range m.extra {
		walk(s)
	}
	if s.loading && s.err == nil {
		m.CPU.SetState(cpu)
	}
}

// AddState adds a walk over what is connected to the chip. It is called before
// the first run.
func (m *Machine) AddState(walk func(*State)) { m.extra = append(m.extra, walk) }

// state saves or restores the deadlines; timers themselves are part of the
// chip and the same on every board of its kind.
func (q *timers) state(s *State) {
	s.Expect("number of timers", uint64(len(q.all)))
	if s.err != nil {
		return
	}
	for _, t := range q.all {
		when := t.When()
		s.Fixed(&when)
		if s.loading {
			t.Set(when)
		}
	}
}

func (q *inputs) state(s *State) {
	for _, list := range []*[]Input{&q.done, &q.pending} {
		n := uint32(len(*list))
		s.Fixed(&n)
		if s.loading {
			*list = nil
		}
		for i := uint32(0); i < n && s.err == nil; i++ {
			var in Input
			if !s.loading {
				in = (*list)[i]
			}
			pin, other := int64(in.Pin), int64(in.Other)
			s.Fixed(&in.At, &in.Kind, &in.Port, &in.Level, &in.Strap, &pin, &other, &in.Source, &in.MilliCelsius)
			s.Bytes(&in.Data)
			in.Pin, in.Other = int(pin), int(other)
			if s.loading {
				*list = append(*list, in)
			}
		}
	}
}
