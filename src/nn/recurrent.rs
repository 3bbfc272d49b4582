//! A recurrent layer, or a stack of them, for any cell.

use super::layer::{DirectionWeights, Layer};
use super::packing::LengthsError;
use super::regularisation::Regularisation;
use super::stack::Stack;
use super::{Gradient, Precision, RecurrentConfig, Trace, Truncation};
use crate::cell::{Cell, Row};
use crate::random::Random;
use crate::recurrence::AnyCell;
use crate::recurrence::budget::BudgetError;
use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor, TensorCreationOptions};
use std::fmt::Debug;

/// A cell of a stack: a [`Cell`], or [`AnyCell`], which is chosen at run time.
pub trait StackCell: Clone + Debug + Send + Sync + 'static {
    /// The states of a stack, hidden first: an array for a [`Cell`], a vector for [`AnyCell`].
    type States: AsRef<[Tensor<3>]> + IntoIterator<Item = Tensor<3>>;

    /// The cell without its type.
    fn any(&self) -> AnyCell;

    /// The states from as many tensors as the cell has states.
    fn states(states: Vec<Tensor<3>>) -> Self::States;
}

impl<C: Cell> StackCell for C {
    type States = C::State<Tensor<3>>;

    fn any(&self) -> AnyCell {
        AnyCell::new(self.clone())
    }

    fn states(states: Vec<Tensor<3>>) -> Self::States {
        Row::from_fn(|s| states[s].clone())
    }
}

impl StackCell for AnyCell {
    type States = Vec<Tensor<3>>;

    fn any(&self) -> AnyCell {
        self.clone()
    }

    fn states(states: Vec<Tensor<3>>) -> Self::States {
        states
    }
}

/// A stack of recurrent layers of the cell `C`.
///
/// A state is an array of tensors, hidden first, `[layers × directions, batch, hidden]` each:
/// `[hidden]` for most cells, `[hidden, cell]` for the LSTM. With a projection the hidden state has the
/// projection's width.
#[derive(Module, Debug)]
pub struct Recurrent<C: StackCell = AnyCell> {
    /// The layers, the one nearest to the input first.
    pub layers: Vec<Layer>,
    /// Hidden units.
    pub d_hidden: usize,
    /// Width of one direction's output: that of the projection, or the hidden units.
    pub d_output: usize,
    /// `[batch, time, features]` if true, `[time, batch, features]` if false.
    pub batch_first: bool,
    /// Whether the walk goes from the last step to the first.
    pub reverse: bool,
    #[module(skip)]
    cell: C,
    /// The same cell without its type.
    #[module(skip)]
    any: AnyCell,
    #[module(skip)]
    gradient: Gradient,
    #[module(skip)]
    memory_budget: Option<usize>,
    #[module(skip)]
    precision: Precision,
    #[module(skip)]
    pub(super) regularisation: Regularisation,
}

impl<C: StackCell> Recurrent<C> {
    pub(super) fn new(
        cell: C,
        config: &RecurrentConfig,
        options: TensorCreationOptions,
        random: &mut Random,
    ) -> Self {
        let directions = if config.bidirectional { 2 } else { 1 };
        let output = config.projection.unwrap_or(config.d_hidden);
        let any = cell.any();
        let shape = any.shape();
        let mut layer = |index: usize| {
            let features = if index == 0 { config.d_input } else { directions * output };
            let mut weights = || DirectionWeights::new(&shape, features, config, &options, random);
            Layer { directions: (0..directions).map(|_| weights()).collect() }
        };
        Self {
            layers: (0..config.layers).map(&mut layer).collect(),
            d_hidden: config.d_hidden,
            d_output: output,
            batch_first: config.batch_first,
            reverse: config.reverse,
            cell,
            any,
            gradient: config.gradient,
            memory_budget: config.memory_budget,
            precision: config.precision,
            regularisation: Regularisation {
                truncation: config.truncation,
                dropout: config.dropout,
                recurrent_dropout: config.recurrent_dropout,
                zoneout_hidden: config.zoneout_hidden,
                zoneout_cell: config.zoneout_cell,
            },
        }
    }

    /// The cell.
    pub fn cell(&self) -> &C {
        &self.cell
    }

    /// The stack without the type of its cell.
    pub(super) fn stack(&self) -> Stack<'_> {
        Stack {
            layers: &self.layers,
            hidden: self.d_hidden,
            output: self.d_output,
            batch_first: self.batch_first,
            reverse: self.reverse,
            cell: &self.any,
            gradient: self.gradient,
            memory_budget: self.memory_budget,
            precision: self.precision,
            regularisation: self.regularisation,
        }
    }

    /// Directions of each layer: 1 or 2.
    pub fn directions(&self) -> usize {
        self.layers[0].directions.len()
    }

    /// How the gradient is computed.
    pub fn gradient(&self) -> Gradient {
        self.gradient
    }

    /// The same stack with its gradient on the other path.
    pub fn with_gradient(mut self, gradient: Gradient) -> Self {
        self.gradient = gradient;
        self
    }

    /// Sets the sum of both biases of the gate that keeps the old state ([`Cell::remembering_gate`]), in all
    /// layers and directions, and returns whether the cell has such a gate. 1 lets the gradient pass from the
    /// beginning of training (Gers 2000, Jozefowicz 2015).
    pub fn set_forget_bias(&mut self, value: f64) -> bool {
        let gate = self.any.remembering_gate();
        gate.map(|gate| self.set_gate_bias(gate, value)).is_some()
    }

    /// Sets the biases so that a state initially lasts about that many steps, and returns whether the cell
    /// has a gate that keeps it: `ln T` for the gate that keeps the old state, and `−ln T` for the one that
    /// lets the input in, so that the state does not grow (Tallec & Ollivier 2018, "Can recurrent neural
    /// networks warp time?", equation 16, with one time for all units).
    pub fn remember_over(&mut self, steps: usize) -> bool {
        let bias = (steps as f64).ln();
        if let Some(gate) = self.any.writing_gate() {
            self.set_gate_bias(gate, -bias);
        }
        self.set_forget_bias(bias)
    }

    fn set_gate_bias(&mut self, gate: usize, value: f64) {
        let units = gate * self.d_hidden..(gate + 1) * self.d_hidden;
        for weights in self.layers.iter_mut().flat_map(|layer| &mut layer.directions) {
            for (bias, value) in [(&mut weights.b_x, value), (&mut weights.b_h, 0.0)] {
                if let Some(bias) = bias {
                    let start = bias.val().slice_fill(units.clone(), value);
                    *bias = Param::from_tensor(start.detach());
                }
            }
        }
    }

    /// The same stack with another memory budget, in bytes: see [`RecurrentConfig::memory_budget`].
    pub fn with_memory_budget(mut self, budget: Option<usize>) -> Self {
        self.memory_budget = budget;
        self
    }

    /// What the products multiply.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The same stack with products of other factors: see [`RecurrentConfig::precision`].
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// The same stack with another truncation of the gradient.
    ///
    /// # Panics
    /// If the truncation is sliding and the stack walks back in time or has dropout or zoneout.
    pub fn with_truncation(mut self, truncation: Truncation) -> Self {
        self.regularisation.truncation = truncation;
        self.stack().check_truncation();
        self
    }

    /// The least memory budget, in bytes, with which rows of `time` steps can be trained on.
    pub fn least_memory_budget(&self, time: usize, batch: usize, dtype: DType) -> usize {
        self.stack().least_memory_budget(time, batch, dtype)
    }

    /// Checks that rows of `time` steps can be trained on within the memory budget.
    ///
    /// # Errors
    /// If the budget is less than [`Recurrent::least_memory_budget`].
    pub fn check_memory_budget(
        &self,
        time: usize,
        batch: usize,
        dtype: DType,
    ) -> Result<(), BudgetError> {
        let Some(budget) = self.memory_budget else { return Ok(()) };
        let least = self.least_memory_budget(time, batch, dtype);
        if budget < least { Err(BudgetError { budget, least }) } else { Ok(()) }
    }

    /// The hidden states of the top layer, `[batch, time, directions × output]` (or time first),
    /// and the states after each row's last step. Without a state it starts from zero.
    ///
    /// # Panics
    /// If the input or the state has another shape, there is no step, or the memory budget is less
    /// than [`Recurrent::least_memory_budget`].
    pub fn forward(&self, input: Tensor<3>, state: Option<C::States>) -> (Tensor<3>, C::States) {
        let (output, last) = self.stack().forward(input, state.map(tensors));
        (output, C::states(last))
    }

    /// As [`Recurrent::forward`], for rows of the given lengths, in any order: a step past a
    /// row's end costs nothing, gives zero output and carries no gradient.
    ///
    /// # Errors
    /// If there is not one length per row, or a length is zero or longer than the batch.
    pub fn forward_lengths(
        &self,
        input: Tensor<3>,
        lengths: &[usize],
        state: Option<C::States>,
    ) -> Result<(Tensor<3>, C::States), LengthsError> {
        let walked = self.stack().forward_lengths(input, lengths, state.map(tensors));
        walked.map(|(output, last)| (output, C::states(last)))
    }

    /// One step: the input `[batch, features]` and the state to the output `[batch, output]` and the
    /// next state. A sequence fed step by step gives what [`Recurrent::forward`] gives at once, up to
    /// rounding: the product of one row may be summed in another order than that of many. Nothing
    /// grows with time.
    ///
    /// # Panics
    /// If the stack is bidirectional or reversed: it would need the end of the sequence first.
    pub fn step(&self, input: Tensor<2>, state: Option<C::States>) -> (Tensor<2>, C::States) {
        assert!(
            self.directions() == 1 && !self.reverse,
            "a stack that walks backward in time cannot go step by step"
        );
        let [batch, features] = input.dims();
        let input = input.reshape(if self.batch_first {
            [batch, 1, features]
        } else {
            [1, batch, features]
        });
        let (output, state) = self.forward(input, state);
        (output.reshape([batch, self.d_output]), state)
    }

    /// The forward pass without autodiff, with everything that the backward pass needs: see [`Trace`].
    pub fn trace(&self, input: Tensor<3>, state: Option<C::States>) -> Trace {
        let stack = self.stack();
        let packing = stack.packing(&input);
        Trace::new(stack, input, packing, state.map(tensors))
    }

    /// As [`Recurrent::trace`], for rows of the given lengths.
    ///
    /// # Errors
    /// As [`Recurrent::forward_lengths`].
    pub fn trace_lengths(
        &self,
        input: Tensor<3>,
        lengths: &[usize],
        state: Option<C::States>,
    ) -> Result<Trace, LengthsError> {
        let stack = self.stack();
        let packing = stack.packing_lengths(&input, lengths)?;
        Ok(Trace::new(stack, input, packing, state.map(tensors)))
    }
}

fn tensors(states: impl IntoIterator<Item = Tensor<3>>) -> Vec<Tensor<3>> {
    states.into_iter().collect()
}
