//! The device's random numbers, from which masks and random truncation are drawn. All threads share them.

use burn::tensor::Device;
use std::sync::{Mutex, PoisonError};

static IN_USE: Mutex<()> = Mutex::new(());

/// Runs `work` with the device's random numbers started from `seed`, so that a repeated forward pass draws the
/// same masks and the same cuts. Two threads that both call this function wait for each other, because each
/// would draw some of the other's numbers. Do not call it again within `work`: it would wait for itself.
///
/// ```
/// use bptt::nn::{LstmConfig, seeded};
/// use burn::tensor::{Device, Tensor};
///
/// # #[cfg(feature = "flex")] {
/// let device = Device::flex().autodiff();
/// let lstm = LstmConfig::new(1, 8, true).with_recurrent_dropout(0.5).init(&device);
/// let output = || lstm.forward(Tensor::ones([1, 9, 1], &device), None).0.into_data();
/// assert_eq!(seeded(&device, 3, output), seeded(&device, 3, output));
/// # }
/// ```
pub fn seeded<T>(device: &Device, seed: u64, work: impl FnOnce() -> T) -> T {
    let _guard = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    device.seed(seed);
    work()
}
