package rv32

// runReference is the oracle: fetch, decode, execute, one at a time.
func (c *CPU) runReference() Exit {
	for {
		if c.attn {
			if e := c.boundary(); e != exitNone {
				return e
			}
		}
		if c.cycles >= c.until {
			return ExitBudget
		}
		if len(c.breaks) != 0 && c.breakHere() {
			return ExitBreak
		}
		c.step()
	}
}

// step executes the instruction at pc, which retires or traps.
func (c *CPU) step() {
	c.trapped = false
	if c.guard.execute && c.fires(trigExecute, c.pc, 2) {
		c.exception(CauseBreak, c.pc)
		return
	}
	word, at, ok := c.fetch(c.pc)
	if !ok {
		c.exception(CauseFetch, at)
		return
	}
	if h := c.Hooks; h != nil && h.Before != nil {
		h.Before(c.pc, word)
	}
	pc := c.pc
	in, size := Decode(word, pc)
	c.execute(&in, pc+size)
	if c.traced && !c.trapped {
		c.hash = mix(c.hash, pc, c.x[in.Rd])
	}
	if c.counts() && !c.trapped {
		c.count(&in, size, pc+size)
		if c.stackReport != nil {
			c.stackMoved(&in, pc)
		}
	}
}
