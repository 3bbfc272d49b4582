//! A recurrent layer, or a stack of them, for any cell.

use super::initial::{RecurrentInitializer, draw};
use super::packing::{LengthsError, Packing};
use super::regularisation::{Masks, Regularisation};
use super::{Gradient, RecurrentConfig, Trace};
use crate::cell::{self, Cell, InputShare, RecurrentShare, Row};
use crate::random::Random;
use crate::recurrence::budget::BudgetError;
use crate::recurrence::truncation::Truncation;
use crate::recurrence::walk::Walk;
use crate::recurrence::{Operands, Timeline, op, replay, slices};
use burn::module::{Initializer, Module, Param};
use burn::tensor::{DType, Tensor, TensorCreationOptions, TensorData};
use std::sync::Arc;

/// The weights of one walk over time; the letters are those of [`crate::recurrence::walk`].
/// What a stack does not have is `None`.
#[derive(Module, Debug)]
pub struct DirectionWeights {
    /// `W_x`: `[features, gates × hidden]`.
    pub w_x: Option<Param<Tensor<2>>>,
    /// `W_h`: `[output, gates × hidden]`.
    pub w_h: Option<Param<Tensor<2>>>,
    /// `b_x`: `[gates × hidden]`.
    pub b_x: Option<Param<Tensor<1>>>,
    /// `b_h`: `[gates × hidden]`.
    pub b_h: Option<Param<Tensor<1>>>,
    /// The cell's vector parameters below each other: `[parameters, hidden]`.
    pub parameters: Option<Param<Tensor<2>>>,
    /// `W_p`, the projection: `[hidden, output]`.
    pub w_p: Option<Param<Tensor<2>>>,
    /// `g_x`, the gain of the normalised product of the input: `[gates × hidden]`.
    pub gain_x: Option<Param<Tensor<1>>>,
    /// `g_h`, the gain of the normalised product of the hidden state: `[gates × hidden]`.
    pub gain_h: Option<Param<Tensor<1>>>,
}

impl DirectionWeights {
    /// Draws each gate's block as a matrix of its own.
    fn new<C: Cell>(
        features: usize,
        config: &RecurrentConfig,
        options: &TensorCreationOptions,
        random: &mut Random,
    ) -> Self {
        let (gates, hidden) = (cell::gates::<C>(), config.d_hidden);
        let output = config.projection.unwrap_or(hidden);
        let bound = 1.0 / (hidden as f64).sqrt();
        let uniform = Initializer::Uniform { min: -bound, max: bound };
        let start = config.initializer.as_ref().unwrap_or(&uniform);
        // An orthogonal row says nothing of a bias.
        let bias_start = match (&config.bias_initializer, start) {
            (Some(start), _) => start,
            (None, Initializer::Orthogonal { .. }) => &uniform,
            (None, start) => start,
        };
        let recurrent_start = config.recurrent_initializer.clone();
        let recurrent_start =
            recurrent_start.unwrap_or(RecurrentInitializer::Drawn { initializer: start.clone() });
        let matrix = |values: Vec<f64>, rows: usize, columns: usize| {
            Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), options.clone())
        };
        // Gate beside gate, each drawn by itself.
        let beside = |rows: usize, block: &mut dyn FnMut() -> Vec<f64>| {
            let mut values = vec![0.0; rows * gates * hidden];
            for gate in 0..gates {
                for (i, value) in block().into_iter().enumerate() {
                    values[(i / hidden) * gates * hidden + gate * hidden + i % hidden] = value;
                }
            }
            matrix(values, rows, gates * hidden)
        };
        let product = C::INPUT == InputShare::Product;
        let recurrent = C::RECURRENT == RecurrentShare::Product;
        let w_x = product.then(|| beside(features, &mut || draw(start, features, hidden, random)));
        let w_h =
            recurrent.then(|| beside(output, &mut || recurrent_start.draw(output, hidden, random)));
        let mut bias = |given: bool| {
            (given && config.bias).then(|| {
                beside(1, &mut || draw(bias_start, 1, hidden, random)).reshape([gates * hidden])
            })
        };
        let (b_x, b_h) = (bias(product), bias(recurrent));
        let count = cell::parameters::<C>();
        let mut vectors = || (0..count).flat_map(|_| draw(&uniform, 1, hidden, random)).collect();
        let parameters = (count > 0).then(|| matrix(vectors(), count, hidden));
        let w_p = config
            .projection
            .map(|output| matrix(draw(&uniform, hidden, output, random), hidden, output));
        let gain = |given: bool| {
            (given && config.layer_norm).then(|| {
                let ones = matrix(vec![1.0; gates * hidden], 1, gates * hidden);
                Param::from_tensor(ones.reshape([gates * hidden]))
            })
        };
        Self {
            w_x: w_x.map(Param::from_tensor),
            w_h: w_h.map(Param::from_tensor),
            b_x: b_x.map(Param::from_tensor),
            b_h: b_h.map(Param::from_tensor),
            parameters: parameters.map(Param::from_tensor),
            w_p: w_p.map(Param::from_tensor),
            gain_x: gain(product),
            gain_h: gain(recurrent),
        }
    }

    /// The operands of one walk. `initial` holds the states beside each other.
    fn operands(
        &self,
        input: Tensor<2>,
        initial: Option<Tensor<2>>,
    ) -> Operands<Option<Tensor<2>>> {
        let row = |bias: &Option<Param<Tensor<1>>>| bias.as_ref().map(|b| b.val().unsqueeze());
        let matrix = |m: &Option<Param<Tensor<2>>>| m.as_ref().map(Param::val);
        Operands {
            input: Some(input),
            initial,
            w_x: matrix(&self.w_x),
            w_h: matrix(&self.w_h),
            b_x: row(&self.b_x),
            b_h: row(&self.b_h),
            parameters: matrix(&self.parameters),
            w_p: matrix(&self.w_p),
            gain_x: row(&self.gain_x),
            gain_h: row(&self.gain_h),
            recurrent_mask: None,
            zoneout: None,
        }
    }
}

/// One layer: a walk forward in time, and one backward in time where the stack is bidirectional.
#[derive(Module, Debug)]
pub struct Layer {
    /// The weights of each direction.
    pub directions: Vec<DirectionWeights>,
}

/// A stack of recurrent layers of the cell `C`.
///
/// A state is an array of tensors, hidden first, `[layers × directions, batch, hidden]` each:
/// `[hidden]` for most cells, `[hidden, cell]` for the LSTM. With a projection the hidden one has its
/// width.
#[derive(Module, Debug)]
pub struct Recurrent<C: Cell> {
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
    #[module(skip)]
    gradient: Gradient,
    #[module(skip)]
    memory_budget: Option<usize>,
    #[module(skip)]
    pub(super) regularisation: Regularisation,
}

impl<C: Cell> Recurrent<C> {
    pub(super) fn new(
        cell: C,
        config: &RecurrentConfig,
        options: TensorCreationOptions,
        random: &mut Random,
    ) -> Self {
        let directions = if config.bidirectional { 2 } else { 1 };
        let output = config.projection.unwrap_or(config.d_hidden);
        let mut layer = |index: usize| {
            let features = if index == 0 { config.d_input } else { directions * output };
            let mut weights = || DirectionWeights::new::<C>(features, config, &options, random);
            Layer { directions: (0..directions).map(|_| weights()).collect() }
        };
        Self {
            layers: (0..config.layers).map(&mut layer).collect(),
            d_hidden: config.d_hidden,
            d_output: output,
            batch_first: config.batch_first,
            reverse: config.reverse,
            cell,
            gradient: config.gradient,
            memory_budget: config.memory_budget,
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

    /// Directions of each layer: 1 or 2.
    pub fn directions(&self) -> usize {
        self.layers[0].directions.len()
    }

    /// Who writes the derivative.
    pub fn gradient(&self) -> Gradient {
        self.gradient
    }

    /// The same stack with its derivative by another author.
    pub fn with_gradient(mut self, gradient: Gradient) -> Self {
        self.gradient = gradient;
        self
    }

    /// Sets the sum of both biases of the gate that keeps the old state ([`Cell::remembering_gate`]), in all
    /// layers and directions, and tells whether the cell has such a gate. 1 lets the gradient pass from the
    /// first step on (Gers 2000, Jozefowicz 2015).
    pub fn set_forget_bias(&mut self, value: f64) -> bool {
        let gate = self.cell.remembering_gate();
        gate.map(|gate| self.set_gate_bias(gate, value)).is_some()
    }

    /// Sets the biases so that at the start a state lasts about so many steps, and tells whether the cell
    /// has a gate that keeps it: `ln T` for the gate that keeps the old state, and `−ln T` for the one that
    /// lets the input in, so that the state does not grow (Tallec & Ollivier 2018, "Can recurrent neural
    /// networks warp time?", equation 16, with one time for all units).
    pub fn remember_over(&mut self, steps: usize) -> bool {
        let bias = (steps as f64).ln();
        if let Some(gate) = self.cell.writing_gate() {
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

    /// The least memory budget, in bytes, with which rows of `time` steps can be trained on.
    pub fn least_memory_budget(&self, time: usize, batch: usize, dtype: DType) -> usize {
        let weights = &self.layers[0].directions[0];
        let changed = weights.w_p.is_some() || self.regularisation.zoneout();
        let normalised = weights.gain_x.is_some() || weights.gain_h.is_some();
        let masked = self.regularisation.recurrent_dropout > 0.0;
        let least = |time: usize, rows: usize| {
            let walk = self.walk(Arc::new(Timeline::uniform(time, rows)), None);
            let costs = if changed || normalised || masked {
                replay::costs(&walk, self.d_output, [normalised, changed], dtype.size())
            } else {
                slices::costs(&walk, dtype.size())
            };
            costs.least()
        };
        // Sliding truncation walks over its blocks as the rows of one wide batch.
        let wide = match self.regularisation.truncation {
            Truncation::Sliding { every, back } => {
                least(back.min(time), batch * time.div_ceil(every))
            }
            _ => 0,
        };
        least(time, batch).max(wide) * self.walks_at_once()
    }

    /// Whether rows of `time` steps can be trained on within the memory budget.
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

    /// Walks whose tapes are held at the same time.
    fn walks_at_once(&self) -> usize {
        let sliding = matches!(self.regularisation.truncation, Truncation::Sliding { .. });
        self.layers.len() * self.directions() * if sliding { 2 } else { 1 }
    }

    fn walk(&self, timeline: Arc<Timeline>, passes: Option<Arc<[f64]>>) -> Walk<C> {
        Walk {
            cell: self.cell.clone(),
            timeline,
            hidden: self.d_hidden,
            passes,
            memory_budget: self.memory_budget.map(|budget| budget / self.walks_at_once()),
        }
    }

    /// The hidden states of the top layer, `[batch, time, directions × output]` (or time first),
    /// and the states after each row's last step. Without a state given it starts from zero.
    ///
    /// # Panics
    /// If the input or the state has another shape, there is no step, or the memory budget is less
    /// than [`Recurrent::least_memory_budget`].
    pub fn forward(
        &self,
        input: Tensor<3>,
        state: Option<C::State<Tensor<3>>>,
    ) -> (Tensor<3>, C::State<Tensor<3>>) {
        if let Some(blocks) = self.sliding(&input) {
            let [time, batch] = self.time_and_batch(&input);
            return self.forward_sliding(input, &vec![time; batch], state, blocks);
        }
        let packing = self.packing(&input);
        self.run(input, &packing, state)
    }

    /// As [`Recurrent::forward`], for rows of the given lengths, in any order: a step past a
    /// row's end costs nothing, gives zero output and carries no gradient.
    ///
    /// # Errors
    /// If there is not one length a row, or a length is zero or longer than the batch.
    pub fn forward_lengths(
        &self,
        input: Tensor<3>,
        lengths: &[usize],
        state: Option<C::State<Tensor<3>>>,
    ) -> Result<(Tensor<3>, C::State<Tensor<3>>), LengthsError> {
        let packing = self.packing_lengths(&input, lengths)?;
        if let Some(blocks) = self.sliding(&input) {
            return Ok(self.forward_sliding(input, lengths, state, blocks));
        }
        Ok(self.run(input, &packing, state))
    }

    /// One step: the input `[batch, features]` and the state to the output `[batch, output]` and the
    /// next state. A sequence fed step by step gives what [`Recurrent::forward`] gives at once, up to
    /// rounding: the product of one row may be summed in another order than that of many. Nothing
    /// grows with time.
    ///
    /// # Panics
    /// If the stack is bidirectional or reversed: it would need the end of the sequence first.
    pub fn step(
        &self,
        input: Tensor<2>,
        state: Option<C::State<Tensor<3>>>,
    ) -> (Tensor<2>, C::State<Tensor<3>>) {
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

    /// The forward walk without autodiff, with all that it remembers: see [`Trace`].
    pub fn trace(&self, input: Tensor<3>, state: Option<C::State<Tensor<3>>>) -> Trace<C> {
        let packing = self.packing(&input);
        Trace::new(self, input, packing, state)
    }

    /// As [`Recurrent::trace`], for rows of the given lengths.
    ///
    /// # Errors
    /// As [`Recurrent::forward_lengths`].
    pub fn trace_lengths(
        &self,
        input: Tensor<3>,
        lengths: &[usize],
        state: Option<C::State<Tensor<3>>>,
    ) -> Result<Trace<C>, LengthsError> {
        let packing = self.packing_lengths(&input, lengths)?;
        Ok(Trace::new(self, input, packing, state))
    }

    pub(super) fn time_and_batch(&self, input: &Tensor<3>) -> [usize; 2] {
        let [first, second, _] = input.dims();
        if self.batch_first { [second, first] } else { [first, second] }
    }

    fn packing(&self, input: &Tensor<3>) -> Packing {
        let [time, batch] = self.time_and_batch(input);
        Packing::uniform(time, batch, self.batch_first)
    }

    pub(super) fn packing_lengths(
        &self,
        input: &Tensor<3>,
        lengths: &[usize],
    ) -> Result<Packing, LengthsError> {
        let [time, batch] = self.time_and_batch(input);
        Packing::with_lengths(lengths, time, batch, self.batch_first)
    }

    pub(super) fn run(
        &self,
        input: Tensor<3>,
        packing: &Packing,
        state: Option<C::State<Tensor<3>>>,
    ) -> (Tensor<3>, C::State<Tensor<3>>) {
        let path = |walk: Walk<C>, operands| match self.gradient {
            Gradient::Manual => op::manual(&walk, operands),
            Gradient::Autodiff => op::autodiff(&walk, operands),
        };
        self.stack(input, packing, state, path, |x, mask| x * mask)
    }

    /// Whether the walk of that direction goes from the last step to the first.
    pub(super) fn mirrored(&self, direction: usize) -> bool {
        direction == 1 || self.reverse
    }

    /// Layer over layer and direction beside direction. `path` is given each walk and its operands and
    /// returns the hidden states of all steps and the last states; `drop` multiplies the output of a
    /// layer with its dropout mask.
    pub(super) fn stack(
        &self,
        input: Tensor<3>,
        packing: &Packing,
        state: Option<C::State<Tensor<3>>>,
        mut path: impl FnMut(Walk<C>, Operands<Option<Tensor<2>>>) -> (Tensor<2>, Vec<Tensor<2>>),
        mut drop: impl FnMut(Tensor<2>, Tensor<2>) -> Tensor<2>,
    ) -> (Tensor<3>, C::State<Tensor<3>>) {
        let timeline = packing.timeline().clone();
        assert!(timeline.steps() > 0, "a recurrence needs at least one step of one row");
        let batch = timeline.batch();
        let others = (cell::states::<C>() - 1) * self.d_hidden;
        let mut masks = Masks::new(self.regularisation, &input);
        let mut last: Vec<Vec<Tensor<3>>> = vec![Vec::new(); cell::states::<C>()];
        let mut x = packing.pack(input);
        for (number, layer) in self.layers.iter().enumerate() {
            if number > 0
                && let Some(mask) = masks.between_layers(&x)
            {
                x = drop(x, mask);
            }
            let mut outputs = Vec::with_capacity(layer.directions.len());
            for (direction, weights) in layer.directions.iter().enumerate() {
                let number = number * layer.directions.len() + direction;
                let initial = state.as_ref().map(|state| {
                    let of = |s: &Tensor<3>| {
                        let [_, _, width] = s.dims();
                        s.clone()
                            .slice([number..number + 1, 0..batch, 0..width])
                            .reshape([batch, width])
                    };
                    packing.sort(Tensor::cat(state.as_ref().iter().map(of).collect(), 1))
                });
                let mirror =
                    |m: Tensor<2>| if self.mirrored(direction) { packing.mirror(m) } else { m };
                let x = mirror(x.clone());
                let recurrent_mask = masks.recurrent(batch, self.d_output, &x);
                let zoneout = masks.zoneout(timeline.steps(), [self.d_output, others], &x);
                let operands = Operands { recurrent_mask, zoneout, ..weights.operands(x, initial) };
                let walk = self.walk(timeline.clone(), masks.passes(timeline.time()));
                let (h, ends) = path(walk, operands);
                outputs.push(mirror(h));
                for (all, end) in last.iter_mut().zip(ends) {
                    all.push(packing.unsort(end).unsqueeze());
                }
            }
            x = if outputs.len() == 1 { outputs.remove(0) } else { Tensor::cat(outputs, 1) };
        }
        let last = C::State::from_fn(|s| Tensor::cat(std::mem::take(&mut last[s]), 0));
        (packing.unpack(x), last)
    }
}
