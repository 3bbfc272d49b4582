//! The walk by the kernels, for backends that give access to their tensors' numbers.

use super::budget::{self, Backward, Costs, Forward, Kept};
use super::host::{HostMemory, matrix_of};
use super::walk::Walk;
use super::{AnyCell, BackendMatrix, Matrix, Operands};
use crate::kernel::{
    self, BackwardWalk, Border, Buffer, Formula, ForwardWalk, HiddenStates, Machine,
    OutputGradient, Recurrence, Upstream, Wanted,
};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::{DType, Element, TensorData};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// A type of number of the kernels as one of Burn's.
trait Number: kernel::Element + Element {
    fn formula(cell: &AnyCell) -> &dyn Formula<Self>;
    fn numbers<B: HostMemory>(tensor: &FloatTensor<B>) -> Option<Cow<'_, [Self]>>;
    fn numbers_mut<B: HostMemory>(tensor: &mut FloatTensor<B>) -> Option<&mut [Self]>;
    fn taken(tape: &KernelTape) -> Option<KernelKept<Self>>;
    fn as_tape(kept: KernelKept<Self>) -> KernelTape;
}

impl Number for f32 {
    fn formula(cell: &AnyCell) -> &dyn Formula<Self> {
        cell.single()
    }
    fn numbers<B: HostMemory>(tensor: &FloatTensor<B>) -> Option<Cow<'_, [Self]>> {
        B::single(tensor)
    }
    fn numbers_mut<B: HostMemory>(tensor: &mut FloatTensor<B>) -> Option<&mut [Self]> {
        B::single_mut(tensor)
    }
    fn taken(tape: &KernelTape) -> Option<KernelKept<Self>> {
        if let KernelTape::F32(tape) = tape { take(tape) } else { None }
    }
    fn as_tape(kept: KernelKept<Self>) -> KernelTape {
        KernelTape::F32(Arc::new(Mutex::new(Some(kept))))
    }
}

impl Number for f64 {
    fn formula(cell: &AnyCell) -> &dyn Formula<Self> {
        cell.double()
    }
    fn numbers<B: HostMemory>(tensor: &FloatTensor<B>) -> Option<Cow<'_, [Self]>> {
        B::double(tensor)
    }
    fn numbers_mut<B: HostMemory>(tensor: &mut FloatTensor<B>) -> Option<&mut [Self]> {
        B::double_mut(tensor)
    }
    fn taken(tape: &KernelTape) -> Option<KernelKept<Self>> {
        if let KernelTape::F64(tape) = tape { take(tape) } else { None }
    }
    fn as_tape(kept: KernelKept<Self>) -> KernelTape {
        KernelTape::F64(Arc::new(Mutex::new(Some(kept))))
    }
}

/// The tape is freed while the backward walk uses it, so it can be taken once.
pub(super) type Once<T> = Arc<Mutex<Option<T>>>;

/// Takes the value that can be taken once.
pub(super) fn take<T>(once: &Once<T>) -> Option<T> {
    once.lock().expect("no other holder panicked").take()
}

type KernelKept<E> = Kept<Border<E>, kernel::Tape<E>>;

/// The tape of the kernels' forward walk for their backward walk.
#[derive(Clone, Debug)]
pub(super) enum KernelTape {
    F32(Once<KernelKept<f32>>),
    F64(Once<KernelKept<f64>>),
}

/// The bytes that the kernels keep of a walk, with numbers of that many bytes.
pub(crate) fn costs(walk: &Walk, bytes: usize) -> Costs {
    match bytes {
        4 => costs_of::<f32>(walk),
        _ => costs_of::<f64>(walk),
    }
}

fn costs_of<E: Number>(walk: &Walk) -> Costs {
    let Walk { timeline, hidden, .. } = walk;
    let shape = walk.cell.shape();
    let row = kernel::Tape::<E>::row_bytes(&shape, *hidden);
    Costs {
        stops: (0..=timeline.time()).collect(),
        tapes: (0..timeline.time()).map(|t| timeline.active(t) * row).collect(),
        border: Border::<E>::bytes(&shape, timeline.batch(), *hidden),
    }
}

/// The kernels' walk within a budget.
struct Replay<'a, 'h, E: kernel::Element> {
    machine: Machine,
    cell: &'a dyn Formula<E>,
    recurrence: &'a Recurrence<'a, E>,
    /// Begun when it is first needed: a walk backward over a whole tape does not need it.
    forward: Option<ForwardWalk<'a, E>>,
    hidden: HiddenStates<'h, E>,
    backward: Option<BackwardWalk<'a, E>>,
}

impl<'a, E: Number> Replay<'a, '_, E> {
    fn walk(&mut self) -> &mut ForwardWalk<'a, E> {
        let Self { machine, cell, recurrence, forward, .. } = self;
        forward.get_or_insert_with(|| ForwardWalk::new(*machine, *cell, recurrence))
    }

    fn over(&mut self, steps: Range<usize>, keep: bool) -> Option<kernel::Tape<E>> {
        self.walk();
        let hidden = match &mut self.hidden {
            HiddenStates::Write(all) => HiddenStates::Write(all),
            HiddenStates::Read(all) => HiddenStates::Read(all),
        };
        self.forward.as_mut().expect("it has begun").over(steps, hidden, keep)
    }
}

impl<E: Number> Forward for Replay<'_, '_, E> {
    type Border = Border<E>;
    type Tape = kernel::Tape<E>;

    fn border(&mut self) -> Border<E> {
        self.walk().border()
    }
    fn forward(&mut self, steps: Range<usize>) {
        self.over(steps, false);
    }
    fn forward_with_tape(&mut self, steps: Range<usize>) -> kernel::Tape<E> {
        self.over(steps, true).expect("it was asked for")
    }
}

impl<E: Number> Backward for Replay<'_, '_, E> {
    fn return_to(&mut self, border: Border<E>) {
        self.walk().return_to(&border);
    }
    fn backward(&mut self, tape: kernel::Tape<E>) {
        self.backward.as_mut().expect("a walk backward").over(tape);
    }
}

/// What the walk is computed with.
fn machine(walk: &Walk) -> Machine {
    Machine { precision: walk.precision, ..Machine::chosen() }
}

type Given<B> = Operands<Option<BackendMatrix<B>>>;

/// The result of a forward walk: the hidden states of all steps, the other states after each row's last
/// step, and the tape.
pub(super) struct Forwarded<B: Backend> {
    pub hidden: FloatTensor<B>,
    pub others: Option<FloatTensor<B>>,
    pub tape: Option<KernelTape>,
}

/// The forward walk, if the kernels serve these operands.
pub(super) fn forward<B: HostMemory>(
    walk: &Walk,
    operands: &Given<B>,
    keep: bool,
) -> Option<Forwarded<B>> {
    match operands.input.as_ref()?.0.dtype() {
        DType::F32 => forward_of::<f32, B>(walk, operands, keep),
        DType::F64 => forward_of::<f64, B>(walk, operands, keep),
        _ => None,
    }
}

/// The operands' numbers, if all of them have that type and the kernels serve them.
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

fn recurrence<'a, E>(
    walk: &'a Walk,
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

fn forward_of<E: Number, B: HostMemory>(
    walk: &Walk,
    operands: &Given<B>,
    keep: bool,
) -> Option<Forwarded<B>> {
    let slices = slices::<E, B>(operands)?;
    let recurrence = recurrence(walk, &slices);
    let (time, steps) = (walk.timeline.time(), walk.timeline.steps());
    let mut hidden = B::room::<E>(steps * walk.hidden);
    let mut replay = Replay {
        machine: machine(walk),
        cell: E::formula(&walk.cell),
        recurrence: &recurrence,
        forward: None,
        hidden: HiddenStates::Write(&mut hidden),
        backward: None,
    };
    let kept = if keep {
        let plan = walk.plan(|| costs_of::<E>(walk));
        Some(budget::forward(&mut replay, plan))
    } else {
        replay.forward(0..time);
        None
    };
    let others = replay.walk().others();
    let device = operands.input.as_ref()?.0.device();
    let others = (walk.cell.shape().states > 1).then(|| {
        let shape = [walk.timeline.batch(), others.len() / walk.timeline.batch()];
        B::float_from_data(TensorData::new(others, shape), &device)
    });
    let hidden = matrix_of::<E, B>(hidden, [steps, walk.hidden], &device);
    Some(Forwarded { hidden, others, tape: kept.map(E::as_tape) })
}

/// The backward walk after [`forward`] of the same operands.
pub(super) fn backward<B: HostMemory>(
    walk: &Walk,
    operands: &Given<B>,
    (hidden, tape): (&FloatTensor<B>, &KernelTape),
    d_output: Option<FloatTensor<B>>,
    d_others: Option<&FloatTensor<B>>,
    wanted: &Operands<bool>,
) -> Given<B> {
    match tape {
        KernelTape::F32(_) => {
            backward_of::<f32, B>(walk, operands, (hidden, tape), d_output, d_others, wanted)
        }
        KernelTape::F64(_) => {
            backward_of::<f64, B>(walk, operands, (hidden, tape), d_output, d_others, wanted)
        }
    }
}

fn backward_of<E: Number, B: HostMemory>(
    walk: &Walk,
    operands: &Given<B>,
    (hidden, tape): (&FloatTensor<B>, &KernelTape),
    mut d_output: Option<FloatTensor<B>>,
    d_others: Option<&FloatTensor<B>>,
    wanted: &Operands<bool>,
) -> Given<B> {
    const SAME: &str = "the forward walk had the same types";
    let slices = slices::<E, B>(operands).expect(SAME);
    let hidden = E::numbers::<B>(hidden).expect(SAME);
    let d_others = d_others.map(|d| E::numbers::<B>(d).expect(SAME));
    let given = operands.each_ref().map(Option::is_some);
    let recurrence = recurrence(walk, &slices);
    let replaced = wanted.input
        && recurrence.features == walk.hidden
        && d_output.as_mut().is_some_and(|d| E::numbers_mut::<B>(d).is_some());
    let read;
    let output = match &mut d_output {
        None => OutputGradient::Zero,
        Some(d) if replaced => OutputGradient::Replace(E::numbers_mut::<B>(d).expect(SAME)),
        Some(d) => {
            read = E::numbers::<B>(d).expect(SAME);
            OutputGradient::Read(&read)
        }
    };
    let upstream = Upstream { output, others: d_others.as_deref(), passes: walk.passes.as_deref() };
    let wanted = Wanted {
        input: wanted.input,
        initial: wanted.initial && given.initial,
        w_x: wanted.w_x && given.w_x,
        w_h: wanted.w_h && given.w_h,
        b_x: wanted.b_x && given.b_x,
        b_h: wanted.b_h && given.b_h,
        parameters: wanted.parameters && given.parameters,
    };
    let gradients = {
        let (machine, cell) = (machine(walk), E::formula(&walk.cell));
        let mut replay = Replay {
            machine,
            cell,
            recurrence: &recurrence,
            forward: None,
            hidden: HiddenStates::Read(&hidden),
            backward: Some(BackwardWalk::new(
                machine,
                cell,
                &recurrence,
                &hidden,
                upstream,
                wanted,
            )),
        };
        let kept = E::taken(tape).expect("a forward walk is walked back once");
        budget::backward(&mut replay, kept);
        replay.backward.expect("a walk backward").finish()
    };
    let like = |operand: &Option<BackendMatrix<B>>, numbers: Option<Buffer<E>>| {
        let (matrix, numbers) = (operand.as_ref()?, numbers?);
        Some(BackendMatrix(B::lent(numbers, matrix.shape(), &matrix.0.device())))
    };
    let input =
        if replaced { d_output.map(BackendMatrix) } else { like(&operands.input, gradients.input) };
    Operands {
        input,
        initial: like(&operands.initial, gradients.initial),
        w_x: like(&operands.w_x, gradients.w_x),
        w_h: like(&operands.w_h, gradients.w_h),
        b_x: like(&operands.b_x, gradients.b_x),
        b_h: like(&operands.b_h, gradients.b_h),
        parameters: like(&operands.parameters, gradients.parameters),
        ..Operands::default()
    }
}

/// The cross entropy of each row of logits and its derivative, if the backend gives access to its numbers.
pub(super) fn cross_entropy<B: HostMemory>(
    targets: &[u32],
    logits: &FloatTensor<B>,
) -> Option<(FloatTensor<B>, FloatTensor<B>)> {
    match logits.dtype() {
        DType::F32 => cross_entropy_of::<f32, B>(targets, logits),
        DType::F64 => cross_entropy_of::<f64, B>(targets, logits),
        _ => None,
    }
}

fn cross_entropy_of<E: Number, B: HostMemory>(
    targets: &[u32],
    logits: &FloatTensor<B>,
) -> Option<(FloatTensor<B>, FloatTensor<B>)> {
    let numbers = E::numbers::<B>(logits)?;
    let (losses, d_logits) = kernel::cross_entropy(Machine::chosen(), &numbers, targets);
    let device = logits.device();
    let d_logits = B::lent(d_logits, logits.shape().dims(), &device);
    Some((B::lent(losses, [targets.len(), 1], &device), d_logits))
}

/// Row `from[i]` of the matrix as row `i`, zeros where there is none, if the backend gives access to its numbers.
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
    let mut placed = B::room::<E>(from.len() * columns);
    for (to, &row) in placed.chunks_exact_mut(columns.max(1)).zip(from) {
        match numbers.get(row.saturating_mul(columns)..).and_then(|rest| rest.get(..columns)) {
            Some(row) => to.copy_from_slice(row),
            None => to.fill(kernel::Element::from_f64(0.0)),
        }
    }
    Some(matrix_of::<E, B>(placed, [from.len(), columns], &matrix.device()))
}
