//! ADC and temperature sensor: the runner sets voltage and temperature.

#[embedded_test::tests(default_timeout = 3)]
mod tests {
    use crate::println;
    use esp_hal::{
        analog::adc::{Adc, AdcCalCurve, AdcConfig, Attenuation},
        delay::Delay,
        peripherals::{ADC1, Peripherals},
        tsens::{Config, TemperatureSensor},
    };

    #[init]
    fn init() -> Peripherals {
        crate::init()
    }

    fn read(p: Peripherals, attenuation: Attenuation) {
        let mut config = AdcConfig::new();
        let mut pin = config.enable_pin_with_cal::<_, AdcCalCurve<ADC1>>(p.GPIO0, attenuation);
        let mut adc = Adc::new(p.ADC1, config);
        let mut sum = 0;
        for _ in 0..16 {
            sum += loop {
                if let Ok(v) = adc.read_oneshot(&mut pin) {
                    break u32::from(v);
                }
            };
        }
        println!("millivolts {}", sum / 16);
    }

    #[test]
    fn full_scale(p: Peripherals) {
        read(p, Attenuation::_11dB);
    }

    #[test]
    fn half_scale(p: Peripherals) {
        read(p, Attenuation::_6dB);
    }

    #[test]
    fn small_scale(p: Peripherals) {
        read(p, Attenuation::_0dB);
    }

    #[test]
    fn temperature(p: Peripherals) {
        let sensor = TemperatureSensor::new(p.TSENS, Config::default()).unwrap();
        Delay::new().delay_micros(300);
        println!("millicelsius {}", (sensor.get_temperature().to_celsius() * 1000.0) as i32);
    }
}
