//! The recurrence as one operation of a Burn backend.
//!
//! Its body is the walk in the backend's own tensor primitives, so it runs on any backend; on
//! `Autodiff<B>` it registers the hand-written backward walk as its derivative.

// burn-ndarray is deprecated in favour of burn-flex; it is served here as long as Burn has it.
#![allow(deprecated)]

use super::walk::{Tape, Walk};
use super::{BackendMatrix, Matrix, OPERANDS, Operands, Timeline};
use crate::cell::{self, Cell};
#[cfg(feature = "flex")]
use burn::backend::Flex;
#[cfg(feature = "ndarray")]
use burn::backend::NdArray;
use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, ExtensionType, backend_extension};
use burn::tensor::Tensor;

/// An operand that may be absent.
#[derive(Clone, Debug, ExtensionType)]
pub enum Operand<B: Backend> {
    /// The tensor.
    Given(FloatTensor<B>),
    /// No tensor: no bias, or a zero initial state.
    Absent,
}

/// The [`Operands`] of a recurrence as primitives of the backend `B`.
#[derive(Clone, Debug, ExtensionType)]
pub struct BackendOperands<B: Backend> {
    #[extension_type]
    input: Operand<B>,
    #[extension_type]
    initial: Operand<B>,
    #[extension_type]
    w_x: Operand<B>,
    #[extension_type]
    w_h: Operand<B>,
    #[extension_type]
    b_x: Operand<B>,
    #[extension_type]
    b_h: Operand<B>,
    #[extension_type]
    parameters: Operand<B>,
}

impl<B: Backend> From<Operands<Option<FloatTensor<B>>>> for BackendOperands<B> {
    fn from(operands: Operands<Option<FloatTensor<B>>>) -> Self {
        let Operands { input, initial, w_x, w_h, b_x, b_h, parameters } =
            operands.map(|operand| match operand {
                Some(tensor) => Operand::Given(tensor),
                None => Operand::Absent,
            });
        Self { input, initial, w_x, w_h, b_x, b_h, parameters }
    }
}

impl<B: Backend> From<BackendOperands<B>> for Operands<Option<FloatTensor<B>>> {
    fn from(operands: BackendOperands<B>) -> Self {
        let BackendOperands { input, initial, w_x, w_h, b_x, b_h, parameters } = operands;
        Operands { input, initial, w_x, w_h, b_x, b_h, parameters }.map(|operand| match operand {
            Operand::Given(tensor) => Some(tensor),
            Operand::Absent => None,
        })
    }
}

fn matrices<B: Backend>(
    operands: Operands<Option<FloatTensor<B>>>,
) -> Operands<Option<BackendMatrix<B>>> {
    operands.map(|operand| operand.map(BackendMatrix))
}

/// A backend with the recurrence among its operations.
#[backend_extension(NdArray: cfg(feature = "ndarray"), Flex: cfg(feature = "flex"), Autodiff)]
pub trait RecurrenceBackend: Backend {
    /// All hidden states, packed `[steps, hidden]`, then the other states after each row's last
    /// step below them, `[batch, hidden]` each: an autodiff operation has one output.
    fn recurrence<C: Cell>(
        walk: Walk<C>,
        #[extension_type] operands: BackendOperands<Self>,
    ) -> FloatTensor<Self> {
        let tape = walk.forward(&matrices::<Self>(operands.into()));
        output(&tape, &walk.timeline)
    }
}

#[cfg(feature = "ndarray")]
impl RecurrenceBackend for NdArray {}
#[cfg(feature = "flex")]
impl RecurrenceBackend for Flex {}

fn output<B: Backend>(tape: &Tape<BackendMatrix<B>>, timeline: &Timeline) -> FloatTensor<B> {
    let others = tape.last(timeline).into_iter().skip(1);
    BackendMatrix::stack_rows(std::iter::once(tape.hidden()).chain(others).collect()).0
}

#[derive(Debug)]
struct RecurrenceBackward<C> {
    walk: Walk<C>,
}

#[derive(Clone, Debug)]
struct Remembered<B: Backend> {
    operands: Operands<Option<BackendMatrix<B>>>,
    tape: Tape<BackendMatrix<B>>,
}

impl<B: Backend, C: Cell> Backward<B, OPERANDS> for RecurrenceBackward<C> {
    type State = Remembered<B>;

    fn backward(
        self,
        ops: Ops<Self::State, OPERANDS>,
        gradients: &mut Gradients,
        _: &mut Checkpointer,
    ) {
        let Self { walk } = self;
        let timeline = &walk.timeline;
        let gradient = BackendMatrix::<B>(gradients.consume::<B>(&ops.node));
        let steps = timeline.steps();
        let d_output = gradient.rows(0..steps);
        let last_of = |s: usize| {
            let from = steps + (s - 1) * timeline.batch();
            gradient.rows(from..from + timeline.batch())
        };
        let d_last: Vec<_> =
            (0..cell::states::<C>()).map(|s| (s > 0).then(|| last_of(s))).collect();
        let wanted = Operands::from_array(ops.parents.each_ref().map(Option::is_some));
        let Remembered { operands, tape } = &ops.state;
        let walked = walk.backward(operands, tape, Some(&d_output), &d_last, &wanted);
        for (parent, gradient) in ops.parents.into_iter().zip(walked.gradients.into_array()) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                gradients.register::<B>(parent.id, gradient.0);
            }
        }
    }
}

impl<B: RecurrenceBackend, K: CheckpointStrategy> RecurrenceBackend for Autodiff<B, K> {
    fn recurrence<C: Cell>(walk: Walk<C>, operands: BackendOperands<Self>) -> FloatTensor<Self> {
        let operands: Operands<Option<FloatTensor<Self>>> = operands.into();
        let like = operands.input.as_ref().expect("a recurrence has an input").primitive().clone();
        let (mut primitives, mut nodes) = (Vec::new(), Vec::new());
        for operand in operands.into_array() {
            let (primitive, node) = match operand {
                Some(tensor) => {
                    let (primitive, node) = tensor.into_parts();
                    (Some(primitive), node)
                }
                None => (None, <FloatTensor<Self>>::new(like.clone()).into_parts().1),
            };
            primitives.push(primitive);
            nodes.push(node);
        }
        let array = "one of each operand";
        let operands = Operands::from_array(primitives.try_into().expect(array));
        let nodes = nodes.try_into().map_err(|_| array).expect(array);
        let backward = RecurrenceBackward { walk: walk.clone() };
        match backward.prepare::<K>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let operands = matrices::<B>(operands);
                let tape = walk.forward(&operands);
                let output = output(&tape, &walk.timeline);
                prepared.finish(Remembered { operands, tape }, output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::recurrence(walk, operands.into())),
        }
    }
}

/// The recurrence on Burn's tensors with the hand-written backward pass, of which autodiff sees
/// one operation. Returns the hidden states `[steps, hidden]` and the states after each row's
/// last step, hidden first, `[batch, hidden]` each.
pub fn manual<C: Cell>(
    walk: &Walk<C>,
    operands: Operands<Option<Tensor<2>>>,
) -> (Tensor<2>, Vec<Tensor<2>>) {
    let operands = operands.map(|operand| operand.map(Tensor::into_dispatch));
    let all = Tensor::<2>::from_dispatch(<Dispatch as RecurrenceBackend>::recurrence(
        walk.clone(),
        BackendOperands::from(operands),
    ));
    let (steps, batch, hidden) = (walk.timeline.steps(), walk.timeline.batch(), walk.hidden);
    let output = all.clone().slice([0..steps, 0..hidden]);
    let mut last = vec![last_rows(&output, &walk.timeline)];
    last.extend((1..cell::states::<C>()).map(|s| {
        let from = steps + (s - 1) * batch;
        all.clone().slice([from..from + batch, 0..hidden])
    }));
    (output, last)
}

/// The row of each sequence's last step.
fn last_rows(output: &Tensor<2>, timeline: &Timeline) -> Tensor<2> {
    let [_, hidden] = output.dims();
    let ends = (0..timeline.time()).rev().filter_map(|t| {
        let (rows, going_on) = (timeline.rows(t), timeline.active(t + 1));
        (rows.len() > going_on)
            .then(|| output.clone().slice([rows.start + going_on..rows.end, 0..hidden]))
    });
    Tensor::cat(ends.collect(), 0)
}

/// The same recurrence unrolled on Burn's tensors, so that Burn differentiates each step of it:
/// the reference for [`manual`].
pub fn autodiff<C: Cell>(
    walk: &Walk<C>,
    operands: Operands<Option<Tensor<2>>>,
) -> (Tensor<2>, Vec<Tensor<2>>) {
    let operands = matrices::<Dispatch>(operands.map(|operand| operand.map(Tensor::into_dispatch)));
    let tape = walk.forward(&operands);
    let tensor = |m: BackendMatrix<Dispatch>| Tensor::from_dispatch(m.0);
    (tensor(tape.hidden()), tape.last(&walk.timeline).into_iter().map(tensor).collect())
}
