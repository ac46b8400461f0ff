//! Adapters from esp-radio, which is asynchronous, to a program that is not.

use core::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use esp_hal::time::Duration;
use esp_radio::wifi::{Interface, WifiRxToken, WifiTxToken};
use esp_rtos::CurrentThreadHandle;
use smoltcp::{
    phy::{self, Device, DeviceCapabilities, Medium},
    time::Instant,
};

/// The interval at which this thread polls the driver, whose own threads run in
/// between.
const TICK: Duration = Duration::from_millis(1);

/// Lets the other threads run.
pub fn sleep(duration: Duration) {
    CurrentThreadHandle::get().delay(duration);
}

/// Sleeps for one tick.
pub fn tick() {
    sleep(TICK);
}

/// Waits for a future of the driver.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        tick();
    }
}

/// The station's interface as a smoltcp device.
pub struct Link(pub Interface);

impl Device for Link {
    type RxToken<'a> = Rx;
    type TxToken<'a> = Tx;

    fn receive(&mut self, _: Instant) -> Option<(Rx, Tx)> {
        self.0.receive().map(|(rx, tx)| (Rx(rx), Tx(tx)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Tx> {
        self.0.transmit().map(Tx)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1492;
        capabilities.max_burst_size = Some(1);
        capabilities
    }
}

pub struct Rx(WifiRxToken);

impl phy::RxToken for Rx {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        self.0.consume_token(|frame| f(frame))
    }
}

pub struct Tx(WifiTxToken);

impl phy::TxToken for Tx {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        self.0.consume_token(len, f)
    }
}
