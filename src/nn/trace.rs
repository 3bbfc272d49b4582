//! The manual path without autodiff: a forward walk that remembers, and a backward walk that
//! returns every gradient, the one of each hidden state among them.

use super::{Packing, Recurrent};
use crate::cell::{self, Cell};
use crate::recurrence::walk::{Tape, Walk};
use crate::recurrence::{BackendMatrix, OPERANDS, Operands};
use burn::backend::Dispatch;
use burn::tensor::Tensor;

/// A forward pass of a [`Recurrent`] stack and what its backward pass needs.
///
/// ```
/// use bptt::nn::{Random, RnnConfig};
/// use burn::tensor::{Device, Distribution, Tensor};
///
/// # #[cfg(feature = "flex")] {
/// let device = Device::flex();
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
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Trace<C: Cell> {
    walk: Walk<C>,
    packing: Packing,
    directions: usize,
    remembered: Vec<Remembered>,
    output: Tensor<3>,
    state: Vec<Tensor<3>>,
}

/// What one walk remembers.
#[derive(Clone, Debug)]
struct Remembered {
    operands: Operands<Option<BackendMatrix<Dispatch>>>,
    tape: Tape<BackendMatrix<Dispatch>>,
}

/// The gradients of the weights of one direction of one layer; the letters are those of
/// [`crate::recurrence::walk`]. `None` is what the layer does not have.
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
}

/// The gradients that [`Trace::backward`] returns.
#[derive(Clone, Debug)]
pub struct TraceGradients {
    /// `∂L/∂X`, in the shape of the input.
    pub input: Tensor<3>,
    /// `∂L/∂` the initial states, hidden first, `[layers × directions, batch, hidden]` each.
    pub state: Vec<Tensor<3>>,
    /// The weights' gradients, by `layer × directions + direction`.
    pub weights: Vec<DirectionGradients>,
    /// `∂L/∂h_t` for every `t`, both sources together, in the shape of one direction's output, by
    /// `layer × directions + direction`. In the direction from the last step to the first,
    /// the entry at `t` is the one of the state that saw input `t` last.
    pub hidden: Vec<Tensor<3>>,
}

impl<C: Cell> Trace<C> {
    pub(super) fn new(
        stack: &Recurrent<C>,
        input: Tensor<3>,
        packing: Packing,
        state: Option<Vec<Tensor<3>>>,
    ) -> Self {
        let walk = stack.walk(&packing);
        let directions = stack.layers[0].directions.len();
        let state_shape =
            [stack.layers.len() * directions, packing.timeline().batch(), walk.hidden];
        let state = state.unwrap_or_else(|| {
            let zeros = Tensor::zeros(state_shape, (&input.device(), input.dtype()));
            vec![zeros; cell::states::<C>()]
        });
        let mut remembered = Vec::new();
        let (output, state) = stack.stack(input, &packing, Some(state), |operands| {
            let operands = operands.map(|operand| {
                operand.map(|tensor| BackendMatrix(tensor.detach().into_dispatch()))
            });
            let tape = walk.forward(&operands);
            let ends = (
                tensor(tape.hidden()),
                tape.last(&walk.timeline).into_iter().map(tensor).collect(),
            );
            remembered.push(Remembered { operands, tape });
            ends
        });
        Self { walk, packing, directions, remembered, output, state }
    }

    /// The hidden states of the top layer, as [`Recurrent::forward`] returns them.
    pub fn output(&self) -> Tensor<3> {
        self.output.clone()
    }

    /// The states after each row's last step, as [`Recurrent::forward`] returns them.
    pub fn state(&self) -> Vec<Tensor<3>> {
        self.state.clone()
    }

    /// Walks backward through time, from the top layer to the lowest.
    ///
    /// `d_output` is `∂L/∂output`, and `d_state` the gradient of the last states where the loss
    /// looks at them.
    pub fn backward(&self, d_output: Tensor<3>, d_state: Option<Vec<Tensor<3>>>) -> TraceGradients {
        let (timeline, hidden) = (&self.walk.timeline, self.walk.hidden);
        let batch = timeline.batch();
        let all = Operands::from_array([true; OPERANDS]);
        let mut d_x = self.packing.pack(d_output);
        let (mut states, mut weights, mut hidden_gradients) = (Vec::new(), Vec::new(), Vec::new());
        for layer in (0..self.remembered.len() / self.directions).rev() {
            let mut below: Option<Tensor<2>> = None;
            for direction in (0..self.directions).rev() {
                let number = layer * self.directions + direction;
                let mirror = |m: Tensor<2>| if direction == 1 { self.packing.mirror(m) } else { m };
                let steps = timeline.steps();
                let columns = direction * hidden..(direction + 1) * hidden;
                let d_h = mirror(d_x.clone().slice([0..steps, columns]));
                let d_last: Vec<_> = (0..cell::states::<C>())
                    .map(|s| {
                        let d = d_state.as_ref()?[s].clone();
                        let d = d.slice([number..number + 1, 0..batch, 0..hidden]);
                        Some(BackendMatrix(
                            self.packing.sort(d.reshape([batch, hidden])).into_dispatch(),
                        ))
                    })
                    .collect();
                let Remembered { operands, tape } = &self.remembered[number];
                let d_h = BackendMatrix(d_h.into_dispatch());
                let walked = self.walk.backward(operands, tape, Some(&d_h), &d_last, &all);
                let Operands { input, initial, w_x, w_h, b_x, b_h, parameters } =
                    walked.gradients.map(|gradient| gradient.map(tensor));
                let vector = |m: Tensor<2>| m.flatten::<1>(0, 1);
                weights.push(DirectionGradients {
                    w_x,
                    w_h,
                    b_x: b_x.map(vector),
                    b_h: b_h.map(vector),
                    parameters,
                });
                states.push(self.packing.unsort(initial.expect("a trace starts from a state")));
                let each_step =
                    walked.states.into_iter().map(|mut state| tensor(state.swap_remove(0)));
                hidden_gradients
                    .push(self.packing.unpack(mirror(Tensor::cat(each_step.collect(), 0))));
                let d_input = mirror(input.expect("the gradient of the input was asked for"));
                below = Some(match below {
                    Some(other) => other + d_input,
                    None => d_input,
                });
            }
            d_x = below.expect("a layer has a direction");
        }
        hidden_gradients.reverse();
        weights.reverse();
        states.reverse();
        let of = |s: usize| {
            let state = |all: &Tensor<2>| {
                all.clone().slice([0..batch, s * hidden..(s + 1) * hidden]).unsqueeze::<3>()
            };
            Tensor::cat(states.iter().map(state).collect(), 0)
        };
        TraceGradients {
            state: (0..cell::states::<C>()).map(of).collect(),
            input: self.packing.unpack(d_x),
            weights,
            hidden: hidden_gradients,
        }
    }
}

fn tensor(matrix: BackendMatrix<Dispatch>) -> Tensor<2> {
    Tensor::from_dispatch(matrix.0)
}
