//! A recurrent stack with the readout `O = H W_2 + b_2`.

use crate::nn::weights::{self, Each, NamedWeights, WeightsError};
use crate::nn::{FlowError, Random, Readout, Recurrent, RecurrentConfig, StackCell};
use crate::recurrence::flow::StateGradient;
use burn::module::Module;
use burn::tensor::{Tensor, TensorCreationOptions};
use std::path::Path;

/// `O_t = H_t W_2 + b_2` over the hidden states of a recurrent stack.
#[derive(Module, Debug)]
pub struct Network<R: Module> {
    /// The recurrent stack, a [`Recurrent`].
    pub recurrent: R,
    /// The readout.
    pub readout: Readout,
}

impl<C: StackCell> Network<Recurrent<C>> {
    /// A network with drawn weights.
    pub fn new(
        cell: C,
        config: &RecurrentConfig,
        outputs: usize,
        options: impl Into<TensorCreationOptions>,
        random: &mut Random,
    ) -> Self {
        let options = options.into();
        let recurrent = config.init_with(cell, options.clone(), random);
        let width = recurrent.directions() * recurrent.d_output;
        let readout = Readout::new(width, outputs, options, random)
            .with_gradient(config.gradient)
            .with_precision(config.precision);
        Self { recurrent, readout }
    }

    /// Reads the weights as [`Recurrent::load_safetensors`] does. The stack's names follow `recurrent.`,
    /// and the readout's are `readout.weight` and `readout.bias`, as those of a PyTorch model with an
    /// `nn.Linear`.
    ///
    /// # Errors
    /// As there.
    pub fn load_safetensors(self, path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        weights::load(self, path.as_ref(), "")
    }

    /// Writes the weights as [`Recurrent::save_safetensors`] does, with those names.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save_safetensors(&self, path: impl AsRef<Path>) -> Result<(), WeightsError> {
        weights::save(self, path.as_ref(), "")
    }

    /// `O` for every step: `[batch, time, features]` to `[batch, time, outputs]`.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let (hidden, _) = self.recurrent.forward(input, None);
        self.readout.forward(hidden)
    }

    /// How large the gradient of a loss of the outputs is at each state of each layer, by time. For a network on a
    /// device without autodiff.
    ///
    /// # Errors
    /// As [`Recurrent::gradient_norms`].
    pub fn gradient_norms(
        &self,
        input: Tensor<3>,
        loss: impl FnOnce(Tensor<3>) -> Tensor<1>,
    ) -> Result<Vec<Vec<StateGradient>>, FlowError> {
        let d_hidden = self.d_hidden(input.clone(), loss);
        self.recurrent.gradient_norms(input, d_hidden)
    }

    /// `∂L/∂H` of a loss of the outputs, the first of its two sources.
    pub fn d_hidden(
        &self,
        input: Tensor<3>,
        loss: impl FnOnce(Tensor<3>) -> Tensor<1>,
    ) -> Tensor<3> {
        let (device, dtype) = (input.device(), input.dtype());
        let (hidden, _) = self.recurrent.forward(input, None);
        let outputs = self.readout.forward(hidden.clone()).into_data();
        let tracked = device.clone().autodiff();
        let outputs = Tensor::<3>::from_data(outputs, (&tracked, dtype)).require_grad();
        let gradients = loss(outputs.clone()).backward();
        let d_output = outputs.grad(&gradients).expect("the loss depends on it").into_data();
        let d_output = Tensor::<3>::from_data(d_output, (&device, dtype));
        self.readout.backward(hidden, d_output).hidden
    }
}

impl<C: StackCell> NamedWeights for Network<Recurrent<C>> {
    fn for_each_named(&mut self, prefix: &str, each: Each<'_>) -> Result<(), WeightsError> {
        self.recurrent.for_each_named(&format!("{prefix}recurrent."), each)?;
        self.readout.for_each_named(&format!("{prefix}readout."), each)
    }
}
