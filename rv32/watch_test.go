package rv32

import "testing"

// A change of watched bytes is reported once, whatever makes it and through
// whichever mapping; other stores are not, and code in the page still runs.
func TestWatch(t *testing.T) {
	const code, alias = 0x40380000, 0x3fc80000
	bothEngines(t, func(t *testing.T, e Engine) {
		// Three stores: beside the range, in it, and in it again.
		c := machine(t, e, nil, sw(6, 5, 0), sw(6, 5, 0x40), sw(6, 5, 0x44), wWFI)
		b := NewBank(2 * PageSize)
		c.Memory().Map(code, b, 0, 2*PageSize, Read|Write|Exec)
		c.Memory().Map(alias, b, 0, 2*PageSize, Read|Write)
		var at []uint64
		hit := func() { at = append(at, c.Cycles()) }
		run := func(base uint32) {
			s := c.State()
			s.PC, s.Waiting, s.Cycles = 0x1000, false, 0
			c.SetState(s)
			c.SetReg(5, base)
			c.SetReg(6, c.Reg(6)+1)
			if x := c.Run(100); x != ExitWFI {
				t.Fatalf("exit %v", x)
			}
		}
		for _, base := range []uint32{code, alias, alias + PageSize - 0x40} {
			run(base) // the translations are cached
			c.Memory().Watch(b, base%PageSize+0x40, 8, hit)
			c.Memory().dropAll() // code does not end the watch
			for range 3 {
				run(base)
			}
			if len(at) != 1 || at[0] != 1 && at[0] != 2 {
				t.Errorf("stores to 0x%x: reported at %v", base, at)
			}
			at = nil
		}
		for name, f := range map[string]func(){
			"write":   func() { c.Memory().Write(alias+PageSize-2, []byte{1, 2, 3}) },
			"bank":    func() { b.Write(PageSize, []byte{1}) },
			"replace": func() { b.Replace(b.Share()) },
		} {
			c.Memory().Watch(b, PageSize, 64, hit)
			f()
			f()
			if len(at) != 1 {
				t.Errorf("%s: reported %d times", name, len(at))
			}
			at = nil
		}
		c.Memory().Watch(b, 0, 64, hit)
		c.Memory().Watch(nil, 0, 0, nil)
		run(code)
		if len(at) != 0 {
			t.Error("reported after its end")
		}
	})
}
