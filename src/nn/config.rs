//! Configurations: one with every option, for any cell, and one for each cell of this crate.

use super::initial::from_device;
use super::{Gradient, Recurrent, RecurrentInitializer};
use crate::cell::{self, Activation, Cell};
use crate::random::Random;
use crate::recurrence::truncation::Truncation;
use burn::config::Config;
use burn::module::Initializer;
use burn::tensor::{Device, TensorCreationOptions};

/// Declares a configuration with the options that all recurrent stacks have and the given ones of its
/// own, and how to make the module from them.
macro_rules! recurrent_config {
    ($(#[$doc:meta])* $name:ident { $($(#[$own_doc:meta])* $own:ident: [$($type:tt)+],)* }) => {
        $(#[$doc])*
        #[derive(Config, Debug)]
        pub struct $name {
            /// Features of the input.
            pub d_input: usize,
            /// Hidden units.
            pub d_hidden: usize,
            /// Whether there are biases.
            pub bias: bool,
            $($(#[$own_doc])* pub $own: $($type)+,)*
            /// Layers, each fed with the output of the one below.
            #[config(default = 1)]
            pub layers: usize,
            /// Whether a second walk goes from the last step to the first.
            #[config(default = false)]
            pub bidirectional: bool,
            /// `[batch, time, features]` if true, `[time, batch, features]` if false.
            #[config(default = true)]
            pub batch_first: bool,
            /// Walk from the last step to the first; not together with `bidirectional`.
            #[config(default = false)]
            pub reverse: bool,
            /// Share of the outputs of each layer but the last that training drops.
            #[config(default = 0.0)]
            pub dropout: f64,
            /// Share of the hidden units that training hides from the recurrent product, the same
            /// ones at every step (Gal & Ghahramani 2016).
            #[config(default = 0.0)]
            pub recurrent_dropout: f64,
            /// Probability that a hidden unit keeps its old value (zoneout, Krueger 2017).
            #[config(default = 0.0)]
            pub zoneout_hidden: f64,
            /// The same for the states beside the hidden one, the LSTM's cell.
            #[config(default = 0.0)]
            pub zoneout_cell: f64,
            /// Whether both products are normalised over their gates, with learned gains (Ba 2016).
            #[config(default = false)]
            pub layer_norm: bool,
            /// Where the weights start; `None` is `U(−1/√hidden, 1/√hidden)`, as in PyTorch.
            pub initializer: Option<Initializer>,
            /// Where the recurrent weights start, if elsewhere.
            pub recurrent_initializer: Option<RecurrentInitializer>,
            /// Where the biases start, if elsewhere.
            pub bias_initializer: Option<Initializer>,
            /// Which part of the gradient through time is computed. Sliding truncation is for stacks that
            /// walk forward in time, without dropout and zoneout: each of its walks would draw masks of
            /// its own.
            #[config(default = "Truncation::Full")]
            pub truncation: Truncation,
            /// The most bytes that the forward passes of all layers together may keep for the backward
            /// pass, beside inputs, outputs, weights and what one step works with; what does not fit is
            /// computed again, with the same gradient to the bit. See
            /// [`budget`](crate::recurrence::budget). Of no account to `Gradient::Autodiff`.
            pub memory_budget: Option<usize>,
            /// Who writes the derivative.
            #[config(default = "Gradient::Manual")]
            pub gradient: Gradient,
        }
    };
}

/// Declares the configuration of a cell's stack: its own options, the cell, and what they become of
/// the general configuration and of the stack.
macro_rules! cell_config {
    (
        $(#[$doc:meta])* $name:ident => $module:ident
        { $($(#[$own_doc:meta])* $own:ident: [$($type:tt)+],)* }
        $config:ident: $cell:expr, projection: $projection:expr, finish: $finish:expr
    ) => {
        recurrent_config! { $(#[$doc])* $name { $($(#[$own_doc])* $own: [$($type)+],)* } }

        impl $name {
            /// The module with weights drawn from the device's random numbers, which
            /// [`Device::seed`] makes repeatable.
            ///
            /// # Panics
            /// As [`RecurrentConfig::init_with`].
            pub fn init(&self, device: &Device) -> $module {
                self.init_with(device, &mut from_device(device))
            }

            /// The module with weights drawn on the host: the same for the same random numbers on
            /// every backend. The options are a device, or a device and a data type.
            ///
            /// # Panics
            /// As [`RecurrentConfig::init_with`].
            pub fn init_with(
                &self,
                options: impl Into<TensorCreationOptions>,
                random: &mut Random,
            ) -> $module {
                let $config = self;
                let finish: fn(&Self, &mut $module) = $finish;
                let mut module = RecurrentConfig {
                    d_input: self.d_input,
                    d_hidden: self.d_hidden,
                    bias: self.bias,
                    projection: $projection,
                    layers: self.layers,
                    bidirectional: self.bidirectional,
                    batch_first: self.batch_first,
                    reverse: self.reverse,
                    dropout: self.dropout,
                    recurrent_dropout: self.recurrent_dropout,
                    zoneout_hidden: self.zoneout_hidden,
                    zoneout_cell: self.zoneout_cell,
                    layer_norm: self.layer_norm,
                    initializer: self.initializer.clone(),
                    recurrent_initializer: self.recurrent_initializer.clone(),
                    bias_initializer: self.bias_initializer.clone(),
                    truncation: self.truncation,
                    memory_budget: self.memory_budget,
                    gradient: self.gradient,
                }
                .init_with($cell, options, random);
                finish(self, &mut module);
                module
            }
        }
    };
}

recurrent_config! {
    /// Configuration of a [`Recurrent`] stack of any cell.
    RecurrentConfig {
        /// Outputs of the projection of the hidden state, if there is one (Sak 2014). The cell must
        /// not look at its own hidden state unit by unit, as the LSTM does not.
        projection: [Option<usize>],
    }
}

impl RecurrentConfig {
    /// The module with weights drawn from the device's random numbers, which [`Device::seed`] makes
    /// repeatable.
    ///
    /// # Panics
    /// As [`RecurrentConfig::init_with`].
    pub fn init<C: Cell>(&self, cell: C, device: &Device) -> Recurrent<C> {
        self.init_with(cell, device, &mut from_device(device))
    }

    /// The module with weights drawn on the host: the same for the same random numbers on every
    /// backend. The options are a device, or a device and a data type.
    ///
    /// # Panics
    /// If a size is zero, a rate is not in `[0, 1)`, or options contradict each other.
    pub fn init_with<C: Cell>(
        &self,
        cell: C,
        options: impl Into<TensorCreationOptions>,
        random: &mut Random,
    ) -> Recurrent<C> {
        let sizes =
            [("d_input", self.d_input), ("d_hidden", self.d_hidden), ("layers", self.layers)];
        for (name, size) in
            sizes.into_iter().chain(self.projection.map(|size| ("projection", size)))
        {
            assert!(size > 0, "{name} must be at least 1");
        }
        for (name, rate) in [
            ("dropout", self.dropout),
            ("recurrent_dropout", self.recurrent_dropout),
            ("zoneout_hidden", self.zoneout_hidden),
            ("zoneout_cell", self.zoneout_cell),
        ] {
            assert!((0.0..1.0).contains(&rate), "{name} must be in [0, 1), not {rate}");
        }
        assert!(
            !(self.reverse && self.bidirectional),
            "a bidirectional stack walks both ways already"
        );
        assert!(
            self.projection.is_none() || !cell::looks_at_hidden(&cell),
            "{} looks at its hidden state unit by unit, so that it cannot be projected",
            cell.name()
        );
        let stack = Recurrent::new(cell, self, options.into(), random);
        stack.check_truncation();
        stack
    }
}

/// `H_t = σ(X_t W_x + b_x + H_{t-1} W_h + b_h)`, a stack of layers of it.
///
/// ```
/// use bptt::nn::{Gradient, RnnConfig};
/// use burn::tensor::{Device, Distribution, Tensor};
///
/// let device = Device::default().autodiff();
/// let rnn = RnnConfig::new(3, 5, true).with_gradient(Gradient::Manual).init(&device);
/// let x = Tensor::<3>::random([2, 7, 3], Distribution::Default, &device);
/// let (output, [hidden]) = rnn.forward(x, None);
/// assert_eq!((output.dims(), hidden.dims()), ([2, 7, 5], [1, 2, 5]));
/// let gradients = output.powi_scalar(2).mean().backward();
/// let w_h = rnn.layers[0].directions[0].w_h.as_ref().unwrap().val();
/// assert_eq!(w_h.grad(&gradients).unwrap().dims(), [5, 5]);
/// ```
pub type Rnn = Recurrent<cell::Elman>;

cell_config! {
    /// Configuration of an [`Rnn`]. That of Le 2015 (IRNN) is
    /// `.with_activation(Activation::Relu)`,
    /// `.with_recurrent_initializer(Some(RecurrentInitializer::Identity { gain: 1.0 }))`,
    /// `.with_initializer(Some(Initializer::Normal { mean: 0.0, std: 0.001 }))` and
    /// `.with_bias_initializer(Some(Initializer::Zeros))`.
    RnnConfig => Rnn {
        /// The activation σ.
        #[config(default = "Activation::Tanh")]
        activation: [Activation],
        /// Keeps the hidden state between `−clip` and `clip`.
        clip: [Option<f64>],
    }
    config: cell::Elman { activation: config.activation, clip: config.clip },
    projection: None,
    finish: |_, _| {}
}

/// Gated recurrent units ([`cell::Gru`]), a stack of layers.
pub type Gru = Recurrent<cell::Gru>;

cell_config! {
    /// Configuration of a [`Gru`].
    GruConfig => Gru {
        /// Keeps the hidden state between `−clip` and `clip`.
        clip: [Option<f64>],
    }
    config: cell::Gru { clip: config.clip },
    projection: None,
    finish: |_, _| {}
}

/// Long short-term memory ([`cell::Lstm`]), a stack of layers.
///
/// ```
/// use bptt::nn::LstmConfig;
/// use burn::tensor::{Device, Distribution, Tensor};
///
/// let device = Device::default();
/// let lstm = LstmConfig::new(3, 5, true).with_layers(2).with_bidirectional(true).init(&device);
/// let x = Tensor::<3>::random([4, 7, 3], Distribution::Default, &device);
/// let (output, [hidden, cell]) = lstm.forward_lengths(x, &[7, 1, 4, 7], None).unwrap();
/// assert_eq!(output.dims(), [4, 7, 10]);
/// assert_eq!((hidden.dims(), cell.dims()), ([4, 4, 5], [4, 4, 5])); // layers × directions, batch, hidden
/// ```
pub type Lstm = Recurrent<cell::Lstm>;

cell_config! {
    /// Configuration of an [`Lstm`].
    LstmConfig => Lstm {
        /// Keeps the cell state between `−clip` and `clip`.
        clip: [Option<f64>],
        /// Outputs of the projection of the hidden state, PyTorch's `proj_size` (Sak 2014).
        projection: [Option<usize>],
        /// The sum of both biases of the forget gate at the start: 1 lets the gradient pass from the
        /// first step on (Gers 2000, Jozefowicz 2015).
        forget_bias: [Option<f64>],
    }
    config: cell::Lstm { clip: config.clip },
    projection: config.projection,
    finish: |config, lstm| {
        if let Some(forget_bias) = config.forget_bias {
            lstm.set_forget_bias(forget_bias);
        }
    }
}

/// LSTM with the forget gate coupled to the input gate ([`cell::CoupledLstm`]), a stack of layers.
pub type CoupledLstm = Recurrent<cell::CoupledLstm>;

cell_config! {
    /// Configuration of a [`CoupledLstm`].
    CoupledLstmConfig => CoupledLstm {
        /// Keeps the cell state between `−clip` and `clip`.
        clip: [Option<f64>],
        /// Outputs of the projection of the hidden state (Sak 2014).
        projection: [Option<usize>],
    }
    config: cell::CoupledLstm { clip: config.clip },
    projection: config.projection,
    finish: |_, _| {}
}

/// Independently recurrent network ([`cell::IndRnn`]), a stack of layers.
pub type IndRnn = Recurrent<cell::IndRnn>;

cell_config! {
    /// Configuration of an [`IndRnn`].
    IndRnnConfig => IndRnn {
        /// The activation σ.
        #[config(default = "Activation::Relu")]
        activation: [Activation],
    }
    config: cell::IndRnn { activation: config.activation },
    projection: None,
    finish: |_, _| {}
}
