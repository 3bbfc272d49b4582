//! Configurations: one with every option, for any cell, and one for each cell of this crate.

use super::initial::from_device;
use super::recurrent::{Recurrent, StackCell};
use super::{Gradient, Precision, RecurrentInitializer};
use crate::cell::{self, Activation, cells};
use crate::random::Random;
use crate::recurrence::truncation::Truncation;
use burn::config::Config;
use burn::module::Initializer;
use burn::tensor::{Device, TensorCreationOptions};

/// Declares a configuration with the options that all recurrent stacks have and those of the cell.
macro_rules! recurrent_config {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $option:ident: [$($type:tt)+],)* }) => {
        $(#[$doc])*
        #[derive(Config, Debug)]
        pub struct $name {
            /// Features of the input.
            pub d_input: usize,
            /// Hidden units.
            pub d_hidden: usize,
            /// Whether there are biases.
            pub bias: bool,
            $($(#[$about])* pub $option: $($type)+,)*
            /// Outputs of the projection of the hidden state, if there is one: PyTorch's `proj_size` (Sak 2014). The
            /// cell's formula must not read the hidden state directly. The LSTM's does not.
            pub projection: Option<usize>,
            /// The initial sum of both biases of the gate that keeps the old state, the LSTM's forget gate. 1 lets the
            /// gradient pass from the beginning of training (Gers 2000, Jozefowicz 2015).
            pub forget_bias: Option<f64>,
            /// Layers. Each reads the output of the one below.
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
            /// Share of the outputs of each layer, except the last, that training drops.
            #[config(default = 0.0)]
            pub dropout: f64,
            /// Share of the hidden units that training hides from the recurrent product, the same
            /// ones at every step (Gal & Ghahramani 2016).
            #[config(default = 0.0)]
            pub recurrent_dropout: f64,
            /// Probability that a hidden unit keeps its old value (zoneout, Krueger 2017).
            #[config(default = 0.0)]
            pub zoneout_hidden: f64,
            /// The same for the other states: the LSTM's cell.
            #[config(default = 0.0)]
            pub zoneout_cell: f64,
            /// Whether both products are normalised over their gates, with learned gains (Ba 2016).
            #[config(default = false)]
            pub layer_norm: bool,
            /// The initial weights; `None` is `U(−1/√hidden, 1/√hidden)`, as in PyTorch.
            pub initializer: Option<Initializer>,
            /// The initial recurrent weights, if they differ.
            pub recurrent_initializer: Option<RecurrentInitializer>,
            /// The initial biases, if they differ.
            pub bias_initializer: Option<Initializer>,
            /// Which part of the gradient through time is computed. Sliding truncation is for stacks that
            /// walk forward in time, without dropout and zoneout, because each of its walks would draw
            /// other masks.
            #[config(default = "Truncation::Full")]
            pub truncation: Truncation,
            /// The most bytes that the forward passes of all layers together may keep for the backward
            /// pass, not counting inputs, outputs, weights and the work on one step. The rest is
            /// computed again, with the same gradient to the bit. See
            /// [`budget`](crate::recurrence::budget). `Gradient::Autodiff` ignores it.
            pub memory_budget: Option<usize>,
            /// What the products multiply: the numbers as they are, or rounded to bf16, for `f32` tensors. States,
            /// gates, sums, gradients and weights stay as they are. Where the processor multiplies bf16 it
            /// is several times as fast.
            #[config(default = "Precision::Full")]
            pub precision: Precision,
            /// The hand-written gradient or autodiff.
            #[config(default = "Gradient::Manual")]
            pub gradient: Gradient,
        }
    };
}

/// Declares the module and the configuration of each cell of this crate.
macro_rules! modules {
    ($($cell:ident => $module:ident $config:ident {
        $($(#[$about:meta])* $option:ident: [$($type:tt)+],)*
    })*) => {$(
        #[doc = concat!("A stack of layers of the cell [`", stringify!($cell), "`](cell::", stringify!($cell), ").")]
        pub type $module = Recurrent<cell::$cell>;

        recurrent_config! {
            #[doc = concat!("Configuration of the module [`", stringify!($module), "`].")]
            $config { $($(#[$about])* $option: [$($type)+],)* }
        }

        impl $config {
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
                let cell = cell::$cell { $($option: self.$option),* };
                RecurrentConfig {
                    d_input: self.d_input,
                    d_hidden: self.d_hidden,
                    bias: self.bias,
                    projection: self.projection,
                    forget_bias: self.forget_bias,
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
                    precision: self.precision,
                    gradient: self.gradient,
                }
                .init_with(cell, options, random)
            }
        }
    )*};
}

recurrent_config! {
    /// Configuration of a [`Recurrent`] stack of any cell.
    RecurrentConfig {}
}

cells!(modules);

impl RecurrentConfig {
    /// The module with weights drawn from the device's random numbers, which [`Device::seed`] makes
    /// repeatable.
    ///
    /// # Panics
    /// As [`RecurrentConfig::init_with`].
    pub fn init<C: StackCell>(&self, cell: C, device: &Device) -> Recurrent<C> {
        self.init_with(cell, device, &mut from_device(device))
    }

    /// The module with weights drawn on the host: the same for the same random numbers on every
    /// backend. The options are a device, or a device and a data type.
    ///
    /// # Panics
    /// If a size is zero, a rate is not in `[0, 1)`, options contradict each other, or the cell lacks the gate that
    /// an option sets.
    pub fn init_with<C: StackCell>(
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
        let any = cell.any();
        assert!(
            self.projection.is_none() || !any.looks_at_hidden(),
            "{} looks at its hidden state unit by unit, so that it cannot be projected",
            any.name()
        );
        let mut stack = Recurrent::new(cell, self, options.into(), random);
        stack.stack().check_truncation();
        if let Some(bias) = self.forget_bias {
            let kept = stack.set_forget_bias(bias);
            assert!(
                kept,
                "{} has no gate that keeps the old state, whose bias could be set",
                any.name()
            );
        }
        stack
    }
}
