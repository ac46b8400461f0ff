package c3

import "espalier.dev/espalier/emu/chip"

// Registers of the analog I2C master at 6000E000. The manual does not describe
// it; names as in the vendor's ROM functions.
const (
	anaHost0   = 0x00
	anaHost1   = 0x04
	anaConf0   = 0x40
	anaConf1   = 0x44
	anaConf2   = 0x48
	anaWrite   = 1 << 24
	anaBusy    = 1 << 25
	anaCalDone = 1 << 24
)

// analog is the internal I2C master to the analog blocks (PLL, bias, ADC). It
// remembers what was written to each register of each slave.
type analog struct {
	block
	slaves [2][128][256]byte
	tuned  func(channel uint8) // receives the channel of the synthesizer
	level  func()              // is called when the level of the brown-out detector is written
}

func newAnalog(tuned func(channel uint8)) *analog {
	a := &analog{tuned: tuned}
	a.block = newBlock("ANA_I2C", 0x6000e000, []reg{
		{anaHost0, "I2C0_CTRL", 0}, {anaHost1, "I2C1_CTRL", 0}, {anaConf0, "ANA_CONF0", 0}, {anaConf1, "ANA_CONF1", 0}, {anaConf2, "ANA_CONF2", 0},
	})
	a.know(anaTransfer0, 0x170) // of the radio
	return a
}

func (a *analog) read(off uint32) uint32 {
	v := a.block.read(off)
	switch off {
	case anaHost0, anaHost1:
		return v &^ anaBusy
	case anaConf0:
		return v | anaCalDone // PLL calibration is always done
	case anaTransfer0, anaTransfer1:
		return v | anaDone
	}
	return v
}

func (a *analog) write(off, v uint32) {
	if off == anaHost0 || off == anaHost1 {
		cell := &a.slaves[off/4][v&0x7f][v>>8&0xff]
		if v&anaWrite != 0 {
			*cell = byte(v >> 16)
			if v&0x7f == boSlave {
				a.level()
			}
		}
		v = v&^(0xff<<16) | uint32(*cell)<<16
	}
	a.block.write(off, v)
	if off == anaChannel {
		a.tuned(channel(field(v, 27, 20)))
	}
}

// slave returns a register of an analog block.
func (a *analog) slave(addr, reg byte) byte { return a.slaves[0][addr][reg] | a.slaves[1][addr][reg] }

func (a *analog) state(s *chip.State) {
	s.Fixed(&a.words)
	for i := range a.slaves {
		for j := range a.slaves[i] {
			s.Fixed(&a.slaves[i][j])
		}
	}
}
