//! The walk by the kernels, for backends whose tensors lie in the machine's own memory.

use super::walk::Walk;
use super::{BackendMatrix, Matrix, Operands};
use crate::cell::{self, Cell};
use crate::kernel::{self, Machine, Recurrence, Upstream, Wanted};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata};
use burn::tensor::{DType, Element, TensorData};
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
#[cfg(feature = "flex")]
use burn_flex::Flex;
#[cfg(feature = "ndarray")]
use burn_ndarray::{NdArray, NdArrayTensor};
use std::borrow::Cow;
use std::sync::Arc;

/// A backend that may show a tensor's numbers as a slice.
pub trait HostMemory: Backend {
    /// The numbers of an `f32` tensor, row after row; copied only if they do not lie like that.
    /// `None` if the backend has no such memory or the tensor another type.
    fn f32s(_tensor: &FloatTensor<Self>) -> Option<Cow<'_, [f32]>> {
        None
    }

    /// The numbers of an `f64` tensor likewise.
    fn f64s(_tensor: &FloatTensor<Self>) -> Option<Cow<'_, [f64]>> {
        None
    }
}

impl HostMemory for Dispatch {}
impl<B: Backend, K: CheckpointStrategy> HostMemory for Autodiff<B, K> {}

/// The numbers where they lie, if they lie row after row, and a copy of them if not.
fn lying<'a, E: Clone>(slice: Option<&'a [E]>, copy: impl FnOnce() -> Vec<E>) -> Cow<'a, [E]> {
    slice.map_or_else(|| Cow::Owned(copy()), Cow::Borrowed)
}

#[cfg(feature = "ndarray")]
impl HostMemory for NdArray {
    fn f32s(tensor: &FloatTensor<Self>) -> Option<Cow<'_, [f32]>> {
        let NdArrayTensor::F32(storage) = tensor else { return None };
        let view = storage.view();
        Some(lying(view.to_slice(), || view.iter().copied().collect()))
    }

    fn f64s(tensor: &FloatTensor<Self>) -> Option<Cow<'_, [f64]>> {
        let NdArrayTensor::F64(storage) = tensor else { return None };
        let view = storage.view();
        Some(lying(view.to_slice(), || view.iter().copied().collect()))
    }
}

#[cfg(feature = "flex")]
impl HostMemory for Flex {
    fn f32s(tensor: &FloatTensor<Self>) -> Option<Cow<'_, [f32]>> {
        let given = tensor.dtype() == DType::F32;
        given.then(|| {
            lying(tensor.as_slice(), || {
                tensor.to_contiguous().as_slice().expect("contiguous").to_vec()
            })
        })
    }

    fn f64s(tensor: &FloatTensor<Self>) -> Option<Cow<'_, [f64]>> {
        let given = tensor.dtype() == DType::F64;
        given.then(|| {
            lying(tensor.as_slice(), || {
                tensor.to_contiguous().as_slice().expect("contiguous").to_vec()
            })
        })
    }
}

/// A type of number of the kernels as one of Burn's.
trait Number: kernel::Element + Element {
    fn numbers<B: HostMemory>(tensor: &FloatTensor<B>) -> Option<Cow<'_, [Self]>>;
    fn tape(tape: &SliceTape) -> Option<&kernel::Tape<Self>>;
    fn into_tape(tape: kernel::Tape<Self>) -> SliceTape;
}

impl Number for f32 {
    fn numbers<B: HostMemory>(tensor: &FloatTensor<B>) -> Option<Cow<'_, [Self]>> {
        B::f32s(tensor)
    }
    fn tape(tape: &SliceTape) -> Option<&kernel::Tape<Self>> {
        if let SliceTape::F32(tape) = tape { Some(tape) } else { None }
    }
    fn into_tape(tape: kernel::Tape<Self>) -> SliceTape {
        SliceTape::F32(Arc::new(tape))
    }
}

impl Number for f64 {
    fn numbers<B: HostMemory>(tensor: &FloatTensor<B>) -> Option<Cow<'_, [Self]>> {
        B::f64s(tensor)
    }
    fn tape(tape: &SliceTape) -> Option<&kernel::Tape<Self>> {
        if let SliceTape::F64(tape) = tape { Some(tape) } else { None }
    }
    fn into_tape(tape: kernel::Tape<Self>) -> SliceTape {
        SliceTape::F64(Arc::new(tape))
    }
}

/// What the kernels' forward walk leaves for their backward walk.
#[derive(Clone, Debug)]
pub(super) enum SliceTape {
    F32(Arc<kernel::Tape<f32>>),
    F64(Arc<kernel::Tape<f64>>),
}

type Given<B> = Operands<Option<BackendMatrix<B>>>;

/// What a forward walk returns: the hidden states of all steps, the other states after each row's last
/// step, and what the backward walk needs.
pub(super) struct Forward<B: Backend> {
    pub hidden: FloatTensor<B>,
    pub others: Option<FloatTensor<B>>,
    pub tape: Option<SliceTape>,
}

/// The forward walk, if the kernels serve these operands.
pub(super) fn forward<B: HostMemory, C: Cell>(
    walk: &Walk<C>,
    operands: &Given<B>,
    keep: bool,
) -> Option<Forward<B>> {
    match operands.input.as_ref()?.0.dtype() {
        DType::F32 => forward_of::<f32, B, C>(walk, operands, keep),
        DType::F64 => forward_of::<f64, B, C>(walk, operands, keep),
        _ => None,
    }
}

/// The operands' numbers, if all of them are of that type and the kernels have what they stand for.
fn slices<E: Number, B: HostMemory>(operands: &Given<B>) -> Option<Operands<Option<Cow<'_, [E]>>>> {
    let Operands { w_p, gain_x, gain_h, recurrent_mask, zoneout, .. } = operands;
    if [w_p, gain_x, gain_h, recurrent_mask, zoneout].into_iter().any(Option::is_some) {
        return None;
    }
    let mut all = true;
    let slices = operands.each_ref().map(|operand| {
        let matrix = operand.as_ref()?;
        let numbers = E::numbers::<B>(&matrix.0);
        all &= numbers.is_some();
        numbers
    });
    all.then_some(slices)
}

fn recurrence<'a, E, C>(
    walk: &'a Walk<C>,
    slices: &'a Operands<Option<Cow<'_, [E]>>>,
) -> Recurrence<'a, E>
where
    E: Number,
{
    let input = slices.input.as_deref().expect("a recurrence has an input");
    Recurrence {
        timeline: &walk.timeline,
        hidden: walk.hidden,
        features: input.len() / walk.timeline.steps(),
        input,
        initial: slices.initial.as_deref(),
        w_x: slices.w_x.as_deref(),
        w_h: slices.w_h.as_deref(),
        b_x: slices.b_x.as_deref(),
        b_h: slices.b_h.as_deref(),
        parameters: slices.parameters.as_deref(),
    }
}

fn forward_of<E: Number, B: HostMemory, C: Cell>(
    walk: &Walk<C>,
    operands: &Given<B>,
    keep: bool,
) -> Option<Forward<B>> {
    let slices = slices::<E, B>(operands)?;
    let walked = kernel::forward(Machine::chosen(), &walk.cell, &recurrence(walk, &slices), keep);
    let device = operands.input.as_ref()?.0.device();
    let tensor = |numbers: Vec<E>, rows: usize| {
        let columns = numbers.len() / rows;
        B::float_from_data(TensorData::new(numbers, [rows, columns]), &device)
    };
    let others = cell::states::<C>() > 1;
    Some(Forward {
        hidden: tensor(walked.hidden, walk.timeline.steps()),
        others: others.then(|| tensor(walked.others, walk.timeline.batch())),
        tape: walked.tape.map(E::into_tape),
    })
}

/// The backward walk after [`forward`] of the same operands.
pub(super) fn backward<B: HostMemory, C: Cell>(
    walk: &Walk<C>,
    operands: &Given<B>,
    (hidden, tape): (&FloatTensor<B>, &SliceTape),
    d_output: Option<&FloatTensor<B>>,
    d_others: Option<&FloatTensor<B>>,
    wanted: &Operands<bool>,
) -> Given<B> {
    match tape {
        SliceTape::F32(_) => {
            backward_of::<f32, B, C>(walk, operands, (hidden, tape), d_output, d_others, wanted)
        }
        SliceTape::F64(_) => {
            backward_of::<f64, B, C>(walk, operands, (hidden, tape), d_output, d_others, wanted)
        }
    }
}

fn backward_of<E: Number, B: HostMemory, C: Cell>(
    walk: &Walk<C>,
    operands: &Given<B>,
    (hidden, tape): (&FloatTensor<B>, &SliceTape),
    d_output: Option<&FloatTensor<B>>,
    d_others: Option<&FloatTensor<B>>,
    wanted: &Operands<bool>,
) -> Given<B> {
    const SAME: &str = "the forward walk had the same types";
    let slices = slices::<E, B>(operands).expect(SAME);
    let hidden = E::numbers::<B>(hidden).expect(SAME);
    let d_output = d_output.map(|d| E::numbers::<B>(d).expect(SAME));
    let d_others = d_others.map(|d| E::numbers::<B>(d).expect(SAME));
    let given = operands.each_ref().map(Option::is_some);
    let gradients = kernel::backward(
        Machine::chosen(),
        &walk.cell,
        &recurrence(walk, &slices),
        (&hidden, E::tape(tape).expect(SAME)),
        Upstream {
            output: d_output.as_deref(),
            others: d_others.as_deref(),
            passes: walk.passes.as_deref(),
        },
        Wanted {
            input: wanted.input,
            initial: wanted.initial && given.initial,
            w_x: wanted.w_x && given.w_x,
            w_h: wanted.w_h && given.w_h,
            b_x: wanted.b_x && given.b_x,
            b_h: wanted.b_h && given.b_h,
            parameters: wanted.parameters && given.parameters,
        },
    );
    let like = |operand: &Option<BackendMatrix<B>>, numbers: Option<Vec<E>>| {
        let (matrix, numbers) = (operand.as_ref()?, numbers?);
        let data = TensorData::new(numbers, matrix.shape());
        Some(BackendMatrix(B::float_from_data(data, &matrix.0.device())))
    };
    Operands {
        input: like(&operands.input, gradients.input),
        initial: like(&operands.initial, gradients.initial),
        w_x: like(&operands.w_x, gradients.w_x),
        w_h: like(&operands.w_h, gradients.w_h),
        b_x: like(&operands.b_x, gradients.b_x),
        b_h: like(&operands.b_h, gradients.b_h),
        parameters: like(&operands.parameters, gradients.parameters),
        ..Operands::default()
    }
}

/// Row `from[i]` of the matrix as row `i`, zeros where there is none, if the backend shows its numbers.
pub(super) fn place<B: HostMemory>(
    from: &[usize],
    matrix: &FloatTensor<B>,
) -> Option<FloatTensor<B>> {
    match matrix.dtype() {
        DType::F32 => place_of::<f32, B>(from, matrix),
        DType::F64 => place_of::<f64, B>(from, matrix),
        _ => None,
    }
}

fn place_of<E: Number, B: HostMemory>(
    from: &[usize],
    matrix: &FloatTensor<B>,
) -> Option<FloatTensor<B>> {
    let numbers = E::numbers::<B>(matrix)?;
    let [_, columns] = matrix.shape().dims();
    let mut placed: Vec<E> = Vec::with_capacity(from.len() * columns);
    for &row in from {
        match numbers.get(row.saturating_mul(columns)..).and_then(|rest| rest.get(..columns)) {
            Some(row) => placed.extend_from_slice(row),
            None => placed.resize(placed.len() + columns, kernel::Element::from_f64(0.0)),
        }
    }
    let data = TensorData::new(placed, [from.len(), columns]);
    Some(B::float_from_data(data, &matrix.device()))
}
