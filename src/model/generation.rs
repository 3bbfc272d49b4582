//! Drawing a sequence from a [`CharacterModel`], class by class.

use super::CharacterModel;
use crate::data::text::{Sampling, UNKNOWN};
use crate::host;
use crate::nn::{Recurrent, StackCell};
use crate::random::Random;

/// A continuation of a prompt without an end: each class is drawn from `P(x_t | x_1 … x_{t−1})` and read before the next
/// one is drawn. [`CharacterModel::generate`] makes one.
#[derive(Debug)]
pub struct Generation<'a, C: StackCell> {
    model: &'a CharacterModel<Recurrent<C>>,
    sampling: Sampling,
    random: Random,
    /// What the model has yet to read.
    unread: Vec<u32>,
    state: Option<C::States>,
}

impl<C: StackCell> CharacterModel<Recurrent<C>> {
    /// Goes on from the prompt, which follows [`UNKNOWN`], without an end: [`Iterator::take`] as many classes as you want.
    /// For a model on a device without autodiff.
    pub fn generate(
        &self,
        prompt: &[u32],
        sampling: Sampling,
        random: Random,
    ) -> Generation<'_, C> {
        let unread = std::iter::once(UNKNOWN).chain(prompt.iter().copied()).collect();
        Generation { model: self, sampling, random, unread, state: None }
    }
}

impl<C: StackCell> Iterator for Generation<'_, C> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let unread = std::mem::take(&mut self.unread);
        let shape = [1, unread.len()];
        let (logits, state) = self.model.forward(&unread, shape, self.state.take());
        let [steps, classes] = logits.dims();
        let last = host(logits.slice([steps - 1..steps, 0..classes]));
        let class = self.sampling.draw(&last, &[UNKNOWN], &mut self.random);
        self.unread.push(class);
        self.state = Some(state);
        Some(class)
    }
}
