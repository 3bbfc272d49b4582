//! The recurrence as one operation of a Burn backend.
//!
//! Its body is the walk in the backend's own tensor primitives, so it runs on any backend; on
//! `Autodiff<B>` it registers the hand-written backward walk as its derivative.

use super::budget::{self, Forward, Kept};
use super::cross_entropy::{CrossEntropyBackward, Losses};
use super::host::HostMemory;
use super::kernels::{self, KernelTape, Once};
use super::placement::{PlaceBackward, Placement};
use super::replay::{self, Replay};
use super::walk::{Tape, Upstream, Walk};
use super::{BackendMatrix, BackendOperands, Matrix, OPERANDS, Operand, Operands, Timeline};
use crate::kernel::Precision;
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, Backend, Dispatch, ExtensionType, TensorMetadata, backend_extension,
};
use burn::tensor::{DType, Tensor, TensorData};
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
#[cfg(feature = "flex")]
use burn_flex::Flex;
#[cfg(feature = "ndarray")]
use burn_ndarray::NdArray;
use std::sync::{Arc, Mutex};

fn matrices<B: Backend>(
    operands: Operands<Option<FloatTensor<B>>>,
) -> Operands<Option<BackendMatrix<B>>> {
    operands.map(|operand| operand.map(BackendMatrix))
}

/// The result of a recurrence: all hidden states, packed `[steps, output]`, and the other states after
/// each row's last step side by side, `[batch, …]`, if the cell has others.
#[derive(Clone, Debug, ExtensionType)]
pub struct Outputs<B: Backend> {
    hidden: FloatTensor<B>,
    #[extension_type]
    others: Operand<B>,
}

/// A backend with the recurrence among its operations.
#[backend_extension(NdArray: cfg(feature = "ndarray"), Flex: cfg(feature = "flex"), Autodiff)]
pub(crate) trait RecurrenceBackend: Backend + HostMemory {
    /// The recurrence over all steps.
    fn recurrence(walk: Walk, #[extension_type] operands: BackendOperands<Self>) -> Outputs<Self> {
        let operands = matrices::<Self>(operands.into());
        let (hidden, others) = match kernels::forward(&walk, &operands, false) {
            Some(walked) => (walked.hidden, walked.others),
            None => {
                let mut replay = Replay::forward_only(&walk, &operands);
                replay.forward(0..walk.timeline.time());
                outputs(replay)
            }
        };
        Outputs { hidden, others: Operand::from_option(others) }
    }

    /// The rows of a matrix in their places.
    fn place(placement: Placement, matrix: FloatTensor<Self>) -> FloatTensor<Self> {
        if let Some(placed) = kernels::place::<Self>(&placement.from, &matrix) {
            return placed;
        }
        let matrix = BackendMatrix::<Self>(matrix);
        let [rows, columns] = matrix.shape();
        // One row of zeros after the others, for the places to which no row goes.
        let index = placement.from.iter().map(|&row| row.min(rows) as i64).collect::<Vec<_>>();
        let index = TensorData::new(index, [placement.from.len()]);
        let index = Self::int_from_data(index, &matrix.0.device());
        let zero = matrix.zeros(1, columns);
        Self::float_select(BackendMatrix::stack_rows(vec![matrix, zero]).0, 0, index)
    }

    /// The cross entropy of each row of logits, and its derivative.
    fn cross_entropy(targets: Arc<[u32]>, logits: FloatTensor<Self>) -> Losses<Self> {
        let found = kernels::cross_entropy::<Self>(&targets, &logits);
        let (losses, d_logits) =
            found.unwrap_or_else(|| super::cross_entropy::by_tensors::<Self>(&targets, logits));
        Losses { losses, d_logits }
    }
}

#[cfg(feature = "ndarray")]
impl RecurrenceBackend for NdArray {}
#[cfg(feature = "flex")]
impl RecurrenceBackend for Flex {}

fn outputs<B: Backend>(
    replay: Replay<BackendMatrix<B>>,
) -> (FloatTensor<B>, Option<FloatTensor<B>>) {
    let (hidden, last) = replay.output();
    let others: Vec<_> = last.into_iter().skip(1).collect();
    (hidden.0, (!others.is_empty()).then(|| BackendMatrix::stack_columns(others).0))
}

/// An autodiff operation has one output, and a recurrence has two. The hidden states are the output of the
/// operation. The other states are the output of a second operation after it, whose backward pass
/// stores its gradient here and passes on a single zero, so that the first one's backward pass follows.
type GradientOfOthers<B> = Once<FloatTensor<B>>;

#[derive(Debug)]
struct OthersBackward;

impl<B: Backend> Backward<B, 1> for OthersBackward {
    type State = GradientOfOthers<B>;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = BackendMatrix::<B>(gradients.consume::<B>(&ops.node));
        if let [Some(hidden)] = ops.parents {
            gradients.register::<B>(hidden.id, gradient.zeros(1, 1).0);
        }
        *ops.state.lock().expect("no other holder panicked") = Some(gradient.0);
    }
}

#[derive(Debug)]
struct RecurrenceBackward {
    walk: Walk,
}

#[derive(Clone, Debug)]
struct Remembered<B: Backend> {
    operands: Operands<Option<BackendMatrix<B>>>,
    tape: AnyTape<B>,
    others: GradientOfOthers<B>,
}

/// The tape of the walk in the backend's tensors.
type WalkKept<M> = Kept<Vec<M>, Vec<Tape<M>>>;

/// The tape of the forward walk: in the backend's tensors, or in the kernels' memory together with the hidden
/// states.
#[derive(Clone, Debug)]
enum AnyTape<B: Backend> {
    Walk(Once<WalkKept<BackendMatrix<B>>>),
    Kernel(FloatTensor<B>, KernelTape),
}

impl<B: RecurrenceBackend> Backward<B, OPERANDS> for RecurrenceBackward {
    type State = Remembered<B>;

    fn backward(
        self,
        ops: Ops<Self::State, OPERANDS>,
        gradients: &mut Gradients,
        _: &mut Checkpointer,
    ) {
        let Self { walk } = self;
        let Remembered { operands, tape, others } = ops.state;
        let d_output = BackendMatrix::<B>(gradients.consume::<B>(&ops.node));
        // A single zero: the loss depends only on the other states.
        let [steps, width] = d_output.shape();
        let whole = steps == walk.timeline.steps() && width == walk.output(&operands);
        let d_output = whole.then_some(d_output);
        let d_others = kernels::take(&others);
        let wanted = Operands::from_array(ops.parents.each_ref().map(Option::is_some));
        let walked = match &tape {
            AnyTape::Kernel(hidden, tape) => {
                let d_output = d_output.map(|d| d.0);
                let tape = (hidden, tape);
                kernels::backward(&walk, &operands, tape, d_output, d_others.as_ref(), &wanted)
            }
            AnyTape::Walk(tape) => {
                let d_others = d_others.map(BackendMatrix::<B>);
                let others = (1..walk.cell.shape().states).map(|s| {
                    let columns = (s - 1) * walk.hidden..s * walk.hidden;
                    d_others.as_ref().map(|d| d.columns(columns))
                });
                let last = std::iter::once(None).chain(others).collect();
                let upstream = Upstream { output: d_output, last };
                let kept = kernels::take(tape).expect("a forward walk is walked back once");
                let mut replay = Replay::backward(&walk, &operands, upstream, wanted);
                budget::backward(&mut replay, kept);
                replay.gradients()
            }
        };
        for (parent, gradient) in ops.parents.into_iter().zip(walked.into_array()) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                gradients.register::<B>(parent.id, gradient.0);
            }
        }
    }
}

impl<B: RecurrenceBackend, K: CheckpointStrategy> RecurrenceBackend for Autodiff<B, K> {
    fn place(placement: Placement, matrix: FloatTensor<Self>) -> FloatTensor<Self> {
        let (primitive, node) = matrix.into_parts();
        let placed = B::place(placement.clone(), primitive);
        match PlaceBackward.prepare::<K>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(placement, placed),
            OpsKind::UnTracked(prepared) => prepared.finish(placed),
        }
    }

    fn cross_entropy(targets: Arc<[u32]>, logits: FloatTensor<Self>) -> Losses<Self> {
        let (primitive, node) = logits.into_parts();
        let Losses { losses, d_logits } = B::cross_entropy(targets, primitive);
        let untracked = <FloatTensor<Self>>::new(d_logits.clone());
        let losses = match CrossEntropyBackward.prepare::<K>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(d_logits, losses),
            OpsKind::UnTracked(prepared) => prepared.finish(losses),
        };
        Losses { losses, d_logits: untracked }
    }

    fn recurrence(walk: Walk, operands: BackendOperands<Self>) -> Outputs<Self> {
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
                let (hidden, others, tape) = match kernels::forward(&walk, &operands, true) {
                    Some(kernels::Forwarded { hidden, others, tape: Some(tape) }) => {
                        (hidden.clone(), others, AnyTape::Kernel(hidden, tape))
                    }
                    _ => {
                        let plan = walk.plan(|| replay::costs_of(&walk, &operands));
                        let mut replay = Replay::forward_only(&walk, &operands);
                        let kept = budget::forward(&mut replay, plan);
                        let (hidden, others) = outputs(replay);
                        (hidden, others, AnyTape::Walk(Arc::new(Mutex::new(Some(kept)))))
                    }
                };
                let gradient = GradientOfOthers::<B>::default();
                let remembered = Remembered { operands, tape, others: gradient.clone() };
                let hidden = prepared.finish(remembered, hidden);
                let others = others.map(|others| {
                    match OthersBackward.prepare::<K>([hidden.node()]).compute_bound().stateful() {
                        OpsKind::Tracked(prepared) => prepared.finish(gradient, others),
                        OpsKind::UnTracked(prepared) => prepared.finish(others),
                    }
                });
                Outputs { hidden, others: Operand::from_option(others) }
            }
            OpsKind::UnTracked(prepared) => {
                let Outputs { hidden, others } = B::recurrence(walk, operands.into());
                let others = others.into_option().map(<FloatTensor<Self>>::new);
                Outputs { hidden: prepared.finish(hidden), others: Operand::from_option(others) }
            }
        }
    }
}

/// The recurrence on Burn's tensors with the hand-written backward pass. Autodiff sees it as one
/// operation. Returns the hidden states `[steps, output]` and the states after each row's
/// last step, hidden first, `[batch, …]` each.
pub fn manual(walk: &Walk, operands: Operands<Option<Tensor<2>>>) -> (Tensor<2>, Vec<Tensor<2>>) {
    let outputs = recurrence(walk, operands);
    let hidden = Tensor::<2>::from_dispatch(outputs.hidden);
    let mut last = vec![last_rows(&hidden, &walk.timeline)];
    if let Operand::Given(others) = outputs.others {
        let others = Tensor::<2>::from_dispatch(others);
        let [batch, _] = others.dims();
        last.extend(
            (1..walk.cell.shape().states)
                .map(|s| others.clone().slice([0..batch, (s - 1) * walk.hidden..s * walk.hidden])),
        );
    }
    (hidden, last)
}

/// Only the hidden states of [`manual`].
pub(crate) fn hidden_states(walk: &Walk, operands: Operands<Option<Tensor<2>>>) -> Tensor<2> {
    Tensor::from_dispatch(recurrence(walk, operands).hidden)
}

/// # Panics
/// If factors of another type than `f32` are to be rounded.
fn check_precision(walk: &Walk, operands: &Operands<Option<Tensor<2>>>) {
    let dtype = operands.input.as_ref().map(Tensor::dtype);
    assert!(
        walk.precision == Precision::Full || dtype == Some(DType::F32),
        "products in bf16 are for f32 tensors: these are {dtype:?}"
    );
}

fn recurrence(walk: &Walk, operands: Operands<Option<Tensor<2>>>) -> Outputs<Dispatch> {
    check_precision(walk, &operands);
    let operands = operands.map(|operand| operand.map(Tensor::into_dispatch));
    <Dispatch as RecurrenceBackend>::recurrence(walk.clone(), BackendOperands::from(operands))
}

/// The row of each sequence's last step.
fn last_rows(hidden: &Tensor<2>, timeline: &Timeline) -> Tensor<2> {
    let [_, width] = hidden.dims();
    let ends = (0..timeline.time()).rev().filter_map(|t| {
        let (rows, going_on) = (timeline.rows(t), timeline.active(t + 1));
        let ending = rows.start + going_on..rows.end;
        (!ending.is_empty()).then(|| hidden.clone().slice([ending, 0..width]))
    });
    Tensor::cat(ends.collect(), 0)
}

/// The same recurrence unrolled on Burn's tensors, so that Burn differentiates each step of it:
/// the reference for [`manual`].
pub fn autodiff(walk: &Walk, operands: Operands<Option<Tensor<2>>>) -> (Tensor<2>, Vec<Tensor<2>>) {
    check_precision(walk, &operands);
    let operands = matrices::<Dispatch>(operands.map(|operand| operand.map(Tensor::into_dispatch)));
    let tape = walk.forward(&operands);
    let tensor = |m: BackendMatrix<Dispatch>| Tensor::from_dispatch(m.0);
    (tensor(tape.hidden()), tape.last(&walk.timeline).into_iter().map(tensor).collect())
}
