//! A stack of layers and directions without the type of its cell.

use super::layer::Layer;
use super::packing::{LengthsError, Packing};
use super::regularisation::{Masks, Regularisation};
use super::{Gradient, Precision};
use crate::recurrence::truncation::Truncation;
use crate::recurrence::walk::Walk;
use crate::recurrence::{AnyCell, Operands, Timeline, kernels, op, replay};
use burn::tensor::{DType, Tensor};
use std::sync::Arc;

/// A [`super::Recurrent`] without the type of its cell. States are vectors, hidden first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stack<'a> {
    pub layers: &'a [Layer],
    pub hidden: usize,
    /// Width of one direction's output.
    pub output: usize,
    pub batch_first: bool,
    pub reverse: bool,
    pub cell: &'a AnyCell,
    pub gradient: Gradient,
    pub memory_budget: Option<usize>,
    pub precision: Precision,
    pub regularisation: Regularisation,
}

impl Stack<'_> {
    /// Directions of each layer: 1 or 2.
    pub fn directions(&self) -> usize {
        self.layers[0].directions.len()
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
                replay::costs(&walk, self.output, [normalised, changed], dtype.size())
            } else {
                kernels::costs(&walk, dtype.size())
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

    /// Walks whose tapes are held at the same time.
    fn walks_at_once(&self) -> usize {
        let sliding = matches!(self.regularisation.truncation, Truncation::Sliding { .. });
        self.layers.len() * self.directions() * if sliding { 2 } else { 1 }
    }

    fn walk(&self, timeline: Arc<Timeline>, passes: Option<Arc<[f64]>>) -> Walk {
        Walk {
            cell: self.cell.clone(),
            timeline,
            hidden: self.hidden,
            passes,
            memory_budget: self.memory_budget.map(|budget| budget / self.walks_at_once()),
            precision: self.precision,
        }
    }

    /// See [`super::Recurrent::forward`].
    pub fn forward(
        &self,
        input: Tensor<3>,
        state: Option<Vec<Tensor<3>>>,
    ) -> (Tensor<3>, Vec<Tensor<3>>) {
        if let Some(blocks) = self.sliding(&input) {
            let [time, batch] = self.time_and_batch(&input);
            return self.forward_sliding(input, &vec![time; batch], state, blocks);
        }
        let packing = self.packing(&input);
        self.run(input, &packing, state)
    }

    /// See [`super::Recurrent::forward_lengths`].
    pub fn forward_lengths(
        &self,
        input: Tensor<3>,
        lengths: &[usize],
        state: Option<Vec<Tensor<3>>>,
    ) -> Result<(Tensor<3>, Vec<Tensor<3>>), LengthsError> {
        let packing = self.packing_lengths(&input, lengths)?;
        if let Some(blocks) = self.sliding(&input) {
            return Ok(self.forward_sliding(input, lengths, state, blocks));
        }
        Ok(self.run(input, &packing, state))
    }

    pub fn time_and_batch(&self, input: &Tensor<3>) -> [usize; 2] {
        let [first, second, _] = input.dims();
        if self.batch_first { [second, first] } else { [first, second] }
    }

    pub fn packing(&self, input: &Tensor<3>) -> Packing {
        let [time, batch] = self.time_and_batch(input);
        Packing::uniform(time, batch, self.batch_first)
    }

    pub fn packing_lengths(
        &self,
        input: &Tensor<3>,
        lengths: &[usize],
    ) -> Result<Packing, LengthsError> {
        let [time, batch] = self.time_and_batch(input);
        Packing::with_lengths(lengths, time, batch, self.batch_first)
    }

    pub fn run(
        &self,
        input: Tensor<3>,
        packing: &Packing,
        state: Option<Vec<Tensor<3>>>,
    ) -> (Tensor<3>, Vec<Tensor<3>>) {
        let path = |walk: Walk, operands| match self.gradient {
            Gradient::Manual => op::manual(&walk, operands),
            Gradient::Autodiff => op::autodiff(&walk, operands),
        };
        self.layer_over_layer(input, packing, state, path, |x, mask| x * mask)
    }

    /// Whether the walk of that direction goes from the last step to the first.
    pub fn mirrored(&self, direction: usize) -> bool {
        direction == 1 || self.reverse
    }

    /// Runs all layers and directions. `path` gets each walk and its operands and returns the hidden states of
    /// all steps and the last states. `drop` multiplies the output of a layer with its dropout mask.
    pub fn layer_over_layer(
        &self,
        input: Tensor<3>,
        packing: &Packing,
        state: Option<Vec<Tensor<3>>>,
        mut path: impl FnMut(Walk, Operands<Option<Tensor<2>>>) -> (Tensor<2>, Vec<Tensor<2>>),
        mut drop: impl FnMut(Tensor<2>, Tensor<2>) -> Tensor<2>,
    ) -> (Tensor<3>, Vec<Tensor<3>>) {
        let timeline = packing.timeline().clone();
        assert!(timeline.steps() > 0, "a recurrence needs at least one step of one row");
        let (batch, states) = (timeline.batch(), self.cell.shape().states);
        let others = (states - 1) * self.hidden;
        let mut masks = Masks::new(self.regularisation, &input);
        let mut last: Vec<Vec<Tensor<3>>> = vec![Vec::new(); states];
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
                    packing.sort(Tensor::cat(state.iter().map(of).collect(), 1))
                });
                let mirror =
                    |m: Tensor<2>| if self.mirrored(direction) { packing.mirror(m) } else { m };
                let x = mirror(x.clone());
                let recurrent_mask = masks.recurrent(batch, self.output, &x);
                let zoneout = masks.zoneout(timeline.steps(), [self.output, others], &x);
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
        let last = last.into_iter().map(|ends| Tensor::cat(ends, 0)).collect();
        (packing.unpack(x), last)
    }
}
