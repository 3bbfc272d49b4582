//! A recurrent stack with the readout `O = H W_2 + b_2`.

use crate::cell::Cell;
use crate::nn::{Random, Readout, Recurrent, RecurrentConfig};
use burn::module::Module;
use burn::tensor::{Tensor, TensorCreationOptions};

/// `O_t = H_t W_2 + b_2` over the hidden states of a recurrent stack.
#[derive(Module, Debug)]
pub struct Network<R: Module> {
    /// The recurrent stack, a [`Recurrent`].
    pub recurrent: R,
    /// The readout.
    pub readout: Readout,
}

impl<C: Cell> Network<Recurrent<C>> {
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
        let readout = Readout::new(width, outputs, options, random);
        Self { recurrent, readout }
    }

    /// `O` for every step: `[batch, time, features]` to `[batch, time, outputs]`.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let (hidden, _) = self.recurrent.forward(input, None);
        self.readout.forward(hidden)
    }
}
