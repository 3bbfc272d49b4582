//! The recurrent layer of the lecture as a Burn module.

use super::initial::from_device;
use super::{Gradient, Random, Recurrent, Sizes};
use crate::cell::{Activation, Elman};
use burn::config::Config;
use burn::module::Initializer;
use burn::tensor::{Device, TensorCreationOptions};

/// `H_t = σ(X_t W_x + b_x + H_{t-1} W_h + b_h)`, a stack of layers of it.
///
/// ```
/// use bptt::nn::{Gradient, RnnConfig};
/// use burn::tensor::{Device, Distribution, Tensor};
///
/// # #[cfg(feature = "flex")] {
/// let device = Device::flex().autodiff();
/// let rnn = RnnConfig::new(3, 5, true).with_gradient(Gradient::Manual).init(&device);
/// let x = Tensor::<3>::random([2, 7, 3], Distribution::Default, &device);
/// let (output, state) = rnn.forward(x, None);
/// assert_eq!(output.dims(), [2, 7, 5]);
/// assert_eq!(state[0].dims(), [1, 2, 5]);
/// let gradients = output.powi_scalar(2).mean().backward();
/// let w_h = rnn.layers[0].directions[0].w_h.as_ref().unwrap().val();
/// assert_eq!(w_h.grad(&gradients).unwrap().dims(), [5, 5]);
/// # }
/// ```
pub type Rnn = Recurrent<Elman>;

/// Configuration of an [`Rnn`].
#[derive(Config, Debug)]
pub struct RnnConfig {
    /// Features of the input.
    pub d_input: usize,
    /// Hidden units.
    pub d_hidden: usize,
    /// Whether there are biases.
    pub bias: bool,
    /// The activation σ.
    #[config(default = "Activation::Tanh")]
    pub activation: Activation,
    /// Layers, each fed with the output of the one below.
    #[config(default = 1)]
    pub layers: usize,
    /// Whether a second walk goes from the last step to the first.
    #[config(default = false)]
    pub bidirectional: bool,
    /// `[batch, time, features]` if true, `[time, batch, features]` if false.
    #[config(default = true)]
    pub batch_first: bool,
    /// Where the weights start; `None` is `U(−1/√hidden, 1/√hidden)`, as in PyTorch.
    pub initializer: Option<Initializer>,
    /// Who writes the derivative.
    #[config(default = "Gradient::Manual")]
    pub gradient: Gradient,
}

impl RnnConfig {
    /// The module with weights drawn from the device's random numbers: [`Device::seed`] makes them
    /// repeatable on that device.
    pub fn init(&self, device: &Device) -> Rnn {
        self.init_with(device, &mut from_device(device))
    }

    /// The module with weights drawn on the host: the same for the same random numbers on every
    /// backend. The options are a device, or a device and a data type.
    pub fn init_with(&self, options: impl Into<TensorCreationOptions>, random: &mut Random) -> Rnn {
        let sizes = Sizes {
            input: self.d_input,
            hidden: self.d_hidden,
            layers: self.layers,
            bidirectional: self.bidirectional,
            bias: self.bias,
            batch_first: self.batch_first,
            initializer: self.initializer.clone(),
            gradient: self.gradient,
        };
        Rnn::new(Elman { activation: self.activation }, &sizes, options, random)
    }
}
