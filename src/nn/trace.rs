//! The manual path without autodiff. The forward walk keeps what the backward walk needs, and that returns
//! every gradient, including that of each hidden state.

use super::Packing;
use super::stack::Stack;
use crate::recurrence::walk::{Tape, Upstream, Walk};
use crate::recurrence::{BackendMatrix, OPERANDS, Operands};
use burn::backend::Dispatch;
use burn::tensor::Tensor;

/// A forward pass of a [`Recurrent`](super::Recurrent) stack, with everything that its backward pass needs.
///
/// ```
/// use bptt::nn::{Random, RnnConfig};
/// use burn::tensor::{Device, Distribution, Tensor};
///
/// let device = Device::default();
/// let rnn = RnnConfig::new(3, 5, true).init(&device);
/// let x = Tensor::<3>::random([2, 7, 3], Distribution::Default, &device);
///
/// let trace = rnn.trace(x, None);
/// let d_output = trace.output().ones_like(); // L = Σ H
/// let gradients = trace.backward(d_output, None);
///
/// assert_eq!(gradients.input.dims(), [2, 7, 3]);
/// assert_eq!(gradients.hidden[0].dims(), [2, 7, 5]); // ∂L/∂h_t for every t
/// assert_eq!(gradients.weights[0].w_h.as_ref().unwrap().dims(), [5, 5]);
/// ```
///
/// The gradient of each hidden and cell state of an LSTM, from the last step back to the first (`examples/bare_walk.rs`):
///
/// ```
#[doc = include_str!("../../examples/bare_walk.rs")]
/// ```
#[derive(Debug)]
pub struct Trace {
    pub(super) packing: Packing,
    /// Whether each direction walks from the last step to the first.
    mirrored: Vec<bool>,
    pub(super) remembered: Vec<Remembered>,
    /// The dropout masks between the layers, if there are any.
    pub(super) dropout: Vec<Tensor<2>>,
    output: Tensor<3>,
    state: Vec<Tensor<3>>,
}

/// The tape and operands of one walk.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    pub walk: Walk,
    pub operands: Operands<Option<BackendMatrix<Dispatch>>>,
    pub tape: Tape<BackendMatrix<Dispatch>>,
}

/// The gradients of the weights of one direction of one layer; the letters are those of
/// [`crate::recurrence::walk`]. A weight that the layer does not have is `None`.
#[derive(Clone, Debug)]
pub struct DirectionGradients {
    /// `∂L/∂W_x`.
    pub w_x: Option<Tensor<2>>,
    /// `∂L/∂W_h`.
    pub w_h: Option<Tensor<2>>,
    /// `∂L/∂b_x`.
    pub b_x: Option<Tensor<1>>,
    /// `∂L/∂b_h`.
    pub b_h: Option<Tensor<1>>,
    /// `∂L/∂` the cell's vector parameters.
    pub parameters: Option<Tensor<2>>,
    /// `∂L/∂W_p`.
    pub w_p: Option<Tensor<2>>,
    /// `∂L/∂g_x`.
    pub gain_x: Option<Tensor<1>>,
    /// `∂L/∂g_h`.
    pub gain_h: Option<Tensor<1>>,
}

/// The gradients that [`Trace::backward`] returns. Lists are by `layer × directions + direction`.
#[derive(Clone, Debug)]
pub struct TraceGradients {
    /// `∂L/∂X`, in the shape of the input.
    pub input: Tensor<3>,
    /// `∂L/∂` the initial states, hidden first, `[layers × directions, batch, …]` each.
    pub state: Vec<Tensor<3>>,
    /// The weights' gradients.
    pub weights: Vec<DirectionGradients>,
    /// `∂L/∂h_t` for every `t`, both sources together, in the shape of one direction's output. In a
    /// direction from the last step to the first, the entry at `t` belongs to the state right after
    /// input `t`.
    pub hidden: Vec<Tensor<3>>,
    /// The same for the other states: the LSTM's `∂L/∂c_t`.
    pub others: Vec<Vec<Tensor<3>>>,
}

impl Trace {
    pub(super) fn new(
        stack: Stack<'_>,
        input: Tensor<3>,
        packing: Packing,
        state: Option<Vec<Tensor<3>>>,
    ) -> Self {
        let batch = packing.timeline().batch();
        let walks = stack.layers.len() * stack.directions();
        let state = state.unwrap_or_else(|| {
            let zeros =
                |width| Tensor::zeros([walks, batch, width], (&input.device(), input.dtype()));
            let width = |s: usize| if s == 0 { stack.output } else { stack.hidden };
            (0..stack.cell.shape().states).map(|s| zeros(width(s))).collect()
        });
        let (mut remembered, mut dropout) = (Vec::new(), Vec::new());
        let walk_one = |walk: Walk, operands: Operands<Option<Tensor<2>>>| {
            let operands = operands.map(|operand| operand.map(matrix));
            let tape = walk.forward(&operands);
            let last = tape.last(&walk.timeline).into_iter().map(tensor).collect();
            let hidden = tensor(tape.hidden());
            remembered.push(Remembered { walk, operands, tape });
            (hidden, last)
        };
        let drop = |x: Tensor<2>, mask: Tensor<2>| {
            dropout.push(mask.clone());
            x * mask
        };
        let (output, state) = stack.layer_over_layer(input, &packing, Some(state), walk_one, drop);
        let mirrored = (0..stack.directions()).map(|direction| stack.mirrored(direction)).collect();
        Self { packing, mirrored, remembered, dropout, output, state }
    }

    /// The hidden states of the top layer, as [`Recurrent::forward`](super::Recurrent::forward) returns them.
    pub fn output(&self) -> Tensor<3> {
        self.output.clone()
    }

    /// The states after each row's last step, hidden first, as [`Recurrent::forward`](super::Recurrent::forward) returns them.
    pub fn state(&self) -> Vec<Tensor<3>> {
        self.state.clone()
    }

    /// Walks backward through time, from the top layer to the lowest.
    ///
    /// `d_output` is `∂L/∂output`, and `d_state` the gradient of the last states if the loss
    /// depends on them.
    pub fn backward(&self, d_output: Tensor<3>, d_state: Option<Vec<Tensor<3>>>) -> TraceGradients {
        let (timeline, directions) = (self.packing.timeline(), self.mirrored.len());
        let batch = timeline.batch();
        let all = Operands::from_array([true; OPERANDS]);
        let mut d_x = self.packing.pack(d_output.detach());
        let layers = self.remembered.len() / directions;
        let (mut states, mut weights, mut by_time) = (Vec::new(), Vec::new(), Vec::new());
        for layer in (0..layers).rev() {
            let mut below: Option<Tensor<2>> = None;
            for direction in (0..directions).rev() {
                let number = layer * directions + direction;
                let mirror = |m: Tensor<2>| {
                    if self.mirrored[direction] { self.packing.mirror(m) } else { m }
                };
                let Remembered { walk, operands, tape } = &self.remembered[number];
                let width = walk.output(operands);
                let columns = direction * width..(direction + 1) * width;
                let d_h = mirror(d_x.clone().slice([0..timeline.steps(), columns]));
                let last = |s: usize| {
                    let d = d_state.as_ref()?[s].clone();
                    let [_, _, width] = d.dims();
                    let d = d.slice([number..number + 1, 0..batch, 0..width]);
                    Some(matrix(self.packing.sort(d.reshape([batch, width]))))
                };
                let upstream = Upstream {
                    output: Some(matrix(d_h)),
                    last: (0..self.state.len()).map(last).collect(),
                };
                let walked = walk.backward(operands, tape, &upstream, &all);
                let gradients = walked.gradients.map(|gradient| gradient.map(tensor));
                let vector = |m: Option<Tensor<2>>| m.map(|m| m.flatten::<1>(0, 1));
                weights.push(DirectionGradients {
                    w_x: gradients.w_x,
                    w_h: gradients.w_h,
                    b_x: vector(gradients.b_x),
                    b_h: vector(gradients.b_h),
                    parameters: gradients.parameters,
                    w_p: gradients.w_p,
                    gain_x: vector(gradients.gain_x),
                    gain_h: vector(gradients.gain_h),
                });
                let initial = gradients.initial.expect("a trace starts from a state");
                states.push(self.packing.unsort(initial));
                let each_step = |s: usize| {
                    let steps = walked.states.iter().map(|state| tensor(state[s].clone()));
                    self.packing.unpack(mirror(Tensor::cat(steps.collect(), 0)))
                };
                by_time.push((0..self.state.len()).map(each_step).collect::<Vec<_>>());
                let d_input = mirror(gradients.input.expect("it was asked for"));
                below = Some(match below {
                    Some(other) => other + d_input,
                    None => d_input,
                });
            }
            d_x = below.expect("a layer has a direction");
            if layer > 0
                && let Some(mask) = self.dropout.get(layer - 1)
            {
                d_x = d_x * mask.clone();
            }
        }
        weights.reverse();
        states.reverse();
        by_time.reverse();
        let mut from = 0;
        let state = |s: usize| {
            let [_, _, width] = self.state[s].dims();
            let columns = from..from + width;
            from += width;
            let of =
                |all: &Tensor<2>| all.clone().slice([0..batch, columns.clone()]).unsqueeze::<3>();
            Tensor::cat(states.iter().map(of).collect(), 0)
        };
        TraceGradients {
            input: self.packing.unpack(d_x),
            state: (0..self.state.len()).map(state).collect(),
            weights,
            hidden: by_time.iter_mut().map(|states| states.remove(0)).collect(),
            others: by_time,
        }
    }
}

pub(super) fn matrix(tensor: Tensor<2>) -> BackendMatrix<Dispatch> {
    BackendMatrix(tensor.detach().into_dispatch())
}

pub(super) fn tensor(matrix: BackendMatrix<Dispatch>) -> Tensor<2> {
    Tensor::from_dispatch(matrix.0)
}
