//! A recurrent layer, or a stack of them, for any cell.

use super::initial::{Random, draw};
use super::packing::{LengthsError, Packing};
use super::{Gradient, Trace};
use crate::cell::{self, Cell, InputShare, RecurrentShare};
use crate::recurrence::walk::Walk;
use crate::recurrence::{Operands, op};
use burn::module::{Initializer, Module, Param};
use burn::tensor::{Tensor, TensorCreationOptions, TensorData};

/// Sizes and options of a [`Recurrent`] stack.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// Features of the input.
    pub input: usize,
    /// Hidden units.
    pub hidden: usize,
    /// Layers, each fed with the output of the one below.
    pub layers: usize,
    /// Whether a second walk goes from the last step to the first.
    pub bidirectional: bool,
    /// Whether there are biases.
    pub bias: bool,
    /// `[batch, time, features]` if true, `[time, batch, features]` if false.
    pub batch_first: bool,
    /// Where the weights start; `None` is `U(−1/√hidden, 1/√hidden)`, as in PyTorch.
    pub initializer: Option<Initializer>,
    /// Who writes the derivative.
    pub gradient: Gradient,
}

/// The weights of one walk over time; the letters are those of [`crate::recurrence::walk`].
/// What a cell does not have is `None`.
#[derive(Module, Debug)]
pub struct DirectionWeights {
    /// `W_x`: `[features, gates × hidden]`.
    pub w_x: Option<Param<Tensor<2>>>,
    /// `W_h`: `[hidden, gates × hidden]`.
    pub w_h: Option<Param<Tensor<2>>>,
    /// `b_x`: `[gates × hidden]`.
    pub b_x: Option<Param<Tensor<1>>>,
    /// `b_h`: `[gates × hidden]`.
    pub b_h: Option<Param<Tensor<1>>>,
    /// The cell's vector parameters below each other: `[parameters, hidden]`.
    pub parameters: Option<Param<Tensor<2>>>,
}

impl DirectionWeights {
    /// Draws each gate's block as a matrix of its own.
    fn new<C: Cell>(
        features: usize,
        sizes: &Sizes,
        options: &TensorCreationOptions,
        random: &mut Random,
    ) -> Self {
        let (gates, hidden) = (cell::gates::<C>(), sizes.hidden);
        let bound = 1.0 / (hidden as f64).sqrt();
        let uniform = Initializer::Uniform { min: -bound, max: bound };
        let start = sizes.initializer.as_ref().unwrap_or(&uniform);
        // An orthogonal row says nothing of a bias.
        let bias_start = match start {
            Initializer::Orthogonal { .. } => &uniform,
            start => start,
        };
        let tensor = |values: Vec<f64>, shape: [usize; 2]| {
            Tensor::<2>::from_data(TensorData::new(values, shape), options.clone())
        };
        let mut matrix = |start: &Initializer, rows: usize| {
            let mut values = vec![0.0; rows * gates * hidden];
            for gate in 0..gates {
                for (i, value) in draw(start, rows, hidden, random).into_iter().enumerate() {
                    values[(i / hidden) * gates * hidden + gate * hidden + i % hidden] = value;
                }
            }
            tensor(values, [rows, gates * hidden])
        };
        let product = C::INPUT == InputShare::Product;
        let recurrent = C::RECURRENT == RecurrentShare::Product;
        let w_x = product.then(|| Param::from_tensor(matrix(start, features)));
        let w_h = recurrent.then(|| Param::from_tensor(matrix(start, hidden)));
        let mut bias = |given: bool| {
            (given && sizes.bias)
                .then(|| Param::from_tensor(matrix(bias_start, 1).reshape([gates * hidden])))
        };
        let (b_x, b_h) = (bias(product), bias(recurrent));
        let count = cell::parameters::<C>();
        let parameters = (count > 0).then(|| {
            let values = (0..count).flat_map(|_| draw(&uniform, 1, hidden, random)).collect();
            Param::from_tensor(tensor(values, [count, hidden]))
        });
        Self { w_x, w_h, b_x, b_h, parameters }
    }

    /// The operands of one walk. `initial` holds the states beside each other.
    pub(super) fn operands(
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
#[derive(Module, Debug)]
pub struct Recurrent<C: Cell> {
    /// The layers, the one nearest to the input first.
    pub layers: Vec<Layer>,
    /// Hidden units.
    pub d_hidden: usize,
    /// `[batch, time, features]` if true, `[time, batch, features]` if false.
    pub batch_first: bool,
    #[module(skip)]
    cell: C,
    #[module(skip)]
    gradient: Gradient,
}

impl<C: Cell> Recurrent<C> {
    /// A stack with drawn weights: the same for the same random numbers, on every backend.
    pub fn new(
        cell: C,
        sizes: &Sizes,
        options: impl Into<TensorCreationOptions>,
        random: &mut Random,
    ) -> Self {
        let options = options.into();
        let directions = if sizes.bidirectional { 2 } else { 1 };
        let mut layer = |index: usize| {
            let features = if index == 0 { sizes.input } else { directions * sizes.hidden };
            let mut weights = || DirectionWeights::new::<C>(features, sizes, &options, random);
            Layer { directions: (0..directions).map(|_| weights()).collect() }
        };
        Self {
            layers: (0..sizes.layers).map(&mut layer).collect(),
            d_hidden: sizes.hidden,
            batch_first: sizes.batch_first,
            cell,
            gradient: sizes.gradient,
        }
    }

    /// The cell.
    pub fn cell(&self) -> &C {
        &self.cell
    }

    /// The same stack with its derivative by another author.
    pub fn with_gradient(mut self, gradient: Gradient) -> Self {
        self.gradient = gradient;
        self
    }

    /// The hidden states of the top layer, `[batch, time, directions × hidden]` (or time first),
    /// and the states after each row's last step, hidden first,
    /// `[layers × directions, batch, hidden]` each. Without a state given it starts from zero.
    ///
    /// # Panics
    /// If the input or the state has another shape.
    pub fn forward(
        &self,
        input: Tensor<3>,
        state: Option<Vec<Tensor<3>>>,
    ) -> (Tensor<3>, Vec<Tensor<3>>) {
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
        state: Option<Vec<Tensor<3>>>,
    ) -> Result<(Tensor<3>, Vec<Tensor<3>>), LengthsError> {
        let [time, batch] = self.time_and_batch(&input);
        let packing =
            Packing::with_lengths(lengths, time, batch, self.batch_first, &input.device())?;
        Ok(self.run(input, &packing, state))
    }

    /// The forward walk without autodiff, with all that it remembers: see [`Trace`].
    pub fn trace(&self, input: Tensor<3>, state: Option<Vec<Tensor<3>>>) -> Trace<C> {
        let packing = self.packing(&input);
        Trace::new(self, input, packing, state)
    }

    fn time_and_batch(&self, input: &Tensor<3>) -> [usize; 2] {
        let [first, second, _] = input.dims();
        if self.batch_first { [second, first] } else { [first, second] }
    }

    fn packing(&self, input: &Tensor<3>) -> Packing {
        let [time, batch] = self.time_and_batch(input);
        Packing::uniform(time, batch, self.batch_first)
    }

    fn run(
        &self,
        input: Tensor<3>,
        packing: &Packing,
        state: Option<Vec<Tensor<3>>>,
    ) -> (Tensor<3>, Vec<Tensor<3>>) {
        let walk = self.walk(packing);
        let path = |operands| match self.gradient {
            Gradient::Manual => op::manual(&walk, operands),
            Gradient::Autodiff => op::autodiff(&walk, operands),
        };
        self.stack(input, packing, state, path)
    }

    /// The walk of each layer and direction.
    pub(super) fn walk(&self, packing: &Packing) -> Walk<C> {
        Walk {
            cell: self.cell.clone(),
            timeline: packing.timeline().clone(),
            hidden: self.d_hidden,
        }
    }

    /// Layer over layer and direction beside direction, with `walk` for each: given its operands it
    /// returns the hidden states of all steps and the last states.
    pub(super) fn stack(
        &self,
        input: Tensor<3>,
        packing: &Packing,
        state: Option<Vec<Tensor<3>>>,
        mut walk: impl FnMut(Operands<Option<Tensor<2>>>) -> (Tensor<2>, Vec<Tensor<2>>),
    ) -> (Tensor<3>, Vec<Tensor<3>>) {
        let (batch, hidden) = (packing.timeline().batch(), self.d_hidden);
        let mut last: Vec<Vec<Tensor<3>>> = vec![Vec::new(); cell::states::<C>()];
        let mut x = packing.pack(input);
        let mut number = 0;
        for layer in &self.layers {
            let mut outputs = Vec::with_capacity(layer.directions.len());
            for (direction, weights) in layer.directions.iter().enumerate() {
                let initial = state.as_ref().map(|state| {
                    let of = |s: &Tensor<3>| {
                        s.clone()
                            .slice([number..number + 1, 0..batch, 0..hidden])
                            .reshape([batch, hidden])
                    };
                    packing.sort(Tensor::cat(state.iter().map(of).collect(), 1))
                });
                let mirrored = direction == 1;
                let x = if mirrored { packing.mirror(x.clone()) } else { x.clone() };
                let (h, ends) = walk(weights.operands(x, initial));
                outputs.push(if mirrored { packing.mirror(h) } else { h });
                for (all, end) in last.iter_mut().zip(ends) {
                    all.push(packing.unsort(end).unsqueeze());
                }
                number += 1;
            }
            x = if outputs.len() == 1 { outputs.remove(0) } else { Tensor::cat(outputs, 1) };
        }
        (packing.unpack(x), last.into_iter().map(|states| Tensor::cat(states, 0)).collect())
    }
}
