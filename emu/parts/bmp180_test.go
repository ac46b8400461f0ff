package parts

import "testing"

// The example of the data sheet's section 3.5.
func TestBMP180Example(t *testing.T) {
	b5 := bmp180B5(27898)
	if got := (b5 + 8) >> 4; got != 150 {
		t.Errorf("temperature %d, want 150", got)
	}
	if got := bmp180Pressure(23843, b5, 0); got != 69964 {
		t.Errorf("pressure %d, want 69964", got)
	}
}

// What firmware computes from the raw values is what the part was given.
func TestBMP180Raw(t *testing.T) {
	for _, celsius := range []float64{-20, 0, 15, 36.6, 80} {
		for _, pascals := range []float64{30_000, 69_964, 101_325, 110_000} {
			p := &BMP180{Celsius: celsius, Pascals: pascals}
			b5 := bmp180B5(p.rawTemperature())
			if got := (b5 + 8) >> 4; got != int32(celsius*10) {
				t.Errorf("%v degrees read as %d tenths", celsius, got)
			}
			for oss := range byte(4) {
				got := bmp180Pressure(p.rawPressure(oss), b5, oss)
				if d := got - int32(pascals); d < -8 || d > 8 {
					t.Errorf("%v Pa at %v degrees, oversampling %d, read as %d", pascals, celsius, oss, got)
				}
			}
		}
	}
}
