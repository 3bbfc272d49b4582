//! A model of a sequence of classes, characters say: `P(x) = Π_t P(x_t | x_1 … x_{t−1})`.

use super::Network;
use crate::host;
use crate::nn::weights::{self, Each, NamedWeights, WeightsError};
use crate::nn::{FlowError, Random, Recurrent, RecurrentConfig, StackCell, cross_entropy};
use crate::recurrence::flow::StateGradient;
use burn::module::{Module, Param};
use burn::tensor::{DType, Int, Tensor, TensorCreationOptions, TensorData};
use rand::RngExt;
use std::path::Path;

/// The class before, one-hot or embedded, through a [`Network`] to the logits of the next class.
#[derive(Module, Debug)]
pub struct CharacterModel<R: Module> {
    /// `E`: `[width, classes]`, a column a class; none: one-hot input.
    pub embedding: Option<Param<Tensor<2>>>,
    /// The recurrent stack and the readout.
    pub network: Network<R>,
}

impl<C: StackCell> CharacterModel<Recurrent<C>> {
    /// A model with drawn weights: an embedding of that width, from `N(0, 1)` as PyTorch's, or one-hot input.
    /// `configure` sees the configuration of the stack.
    pub fn new(
        cell: C,
        classes: usize,
        embedding: Option<usize>,
        [hidden, layers]: [usize; 2],
        configure: impl FnOnce(RecurrentConfig) -> RecurrentConfig,
        options: impl Into<TensorCreationOptions>,
        random: &mut Random,
    ) -> Self {
        let options = options.into();
        let features = embedding.unwrap_or(classes);
        let config = configure(RecurrentConfig::new(features, hidden, true).with_layers(layers));
        let network = Network::new(cell, &config, classes, options.clone(), random);
        let embedding = embedding.map(|width| {
            let mut normal = || random.sample::<f64, _>(rand_distr::StandardNormal);
            let values: Vec<f64> = (0..width * classes).map(|_| normal()).collect();
            Param::from_tensor(Tensor::from_data(
                TensorData::new(values, [width, classes]),
                options,
            ))
        });
        Self { embedding, network }
    }

    /// How many classes.
    pub fn classes(&self) -> usize {
        self.network.readout.b_2.dims()[0]
    }

    /// The data type of the weights.
    pub fn dtype(&self) -> DType {
        self.network.readout.b_2.val().dtype()
    }

    /// The input of the classes, `[batch, time]` in row-major order, as `[batch, time, features]`.
    fn input(&self, classes: &[u32], [batch, time]: [usize; 2]) -> Tensor<3> {
        let like = self.network.readout.b_2.val();
        if let Some(embedding) = &self.embedding {
            let indices: Vec<i64> = classes.iter().map(|&class| i64::from(class)).collect();
            let shape = [batch * time];
            let indices =
                Tensor::<1, Int>::from_data(TensorData::new(indices, shape), &like.device());
            let chosen = embedding.val().transpose().select(0, indices);
            let [_, width] = chosen.dims();
            return chosen.reshape([batch, time, width]);
        }
        let width = self.classes();
        let mut one_hot = vec![0f32; classes.len() * width];
        for (row, &class) in one_hot.chunks_exact_mut(width).zip(classes) {
            row[class as usize] = 1.0;
        }
        let data = TensorData::new(one_hot, [batch, time, width]);
        Tensor::from_data(data, (&like.device(), like.dtype()))
    }

    /// The logits of what follows each class, `[batch × time, classes]`, and the state after the last.
    /// `classes` are `[batch, time]`; the state is that of [`CharacterModel::step_state`] or none.
    pub fn forward(
        &self,
        classes: &[u32],
        [batch, time]: [usize; 2],
        state: Option<C::States>,
    ) -> (Tensor<2>, C::States) {
        let input = self.input(classes, [batch, time]);
        let (hidden, state) = self.network.recurrent.forward(input, state);
        let logits = self.network.readout.forward(hidden);
        (logits.reshape([batch * time, self.classes()]), state)
    }

    /// A state that carries no gradient, for the next window of the same rows.
    pub fn step_state(state: C::States) -> C::States {
        C::states(state.into_iter().map(Tensor::detach).collect())
    }

    /// `−ln P(x_t | x_1 … x_{t−1})` in nats for every t, by the chain rule from a zero state; the first class
    /// follows [`crate::data::text::UNKNOWN`]. Their sum is `−ln P(x)`. Memory does not grow with the length.
    pub fn score(&self, classes: &[u32]) -> Vec<f64> {
        const BLOCK: usize = 2048;
        let (mut losses, mut state, mut before) =
            (Vec::with_capacity(classes.len()), None, crate::data::text::UNKNOWN);
        for block in classes.chunks(BLOCK) {
            let input: Vec<u32> =
                std::iter::once(before).chain(block[..block.len() - 1].iter().copied()).collect();
            let (logits, next) = self.forward(&input, [1, block.len()], state);
            losses.extend(host(self.losses(logits, block)));
            state = Some(Self::step_state(next));
            before = block[block.len() - 1];
        }
        losses
    }

    /// As [`CharacterModel::score`], with a past of `past` classes alone: each step starts from a zero state
    /// that many steps before.
    pub fn score_forgetting(&self, classes: &[u32], past: usize) -> Vec<f64> {
        const ROWS: usize = 256;
        let whole = past.min(classes.len());
        let mut losses = self.score(&classes[..whole]);
        let all: Vec<usize> = (whole..classes.len()).collect();
        for steps in all.chunks(ROWS) {
            let windows: Vec<u32> =
                steps.iter().flat_map(|&t| &classes[t - past..t]).copied().collect();
            let input = self.input(&windows, [steps.len(), past]);
            let (hidden, _) = self.network.recurrent.forward(input, None);
            let last = hidden.slice_dim(1, past - 1..past);
            let targets: Vec<u32> = steps.iter().map(|&t| classes[t]).collect();
            let logits = self.network.readout.forward(last);
            losses
                .extend(host(self.losses(logits.reshape([steps.len(), self.classes()]), &targets)));
        }
        losses
    }

    fn losses(&self, logits: Tensor<2>, targets: &[u32]) -> Tensor<1> {
        cross_entropy(self.network.recurrent.gradient(), logits, targets)
    }

    /// The losses of a window's steps, `[batch × time]`, in nats, and the state after it.
    pub fn window_losses(
        &self,
        inputs: &[u32],
        targets: &[u32],
        shape: [usize; 2],
        state: Option<C::States>,
    ) -> (Tensor<1>, C::States) {
        let (logits, state) = self.forward(inputs, shape, state);
        (self.losses(logits, targets), Self::step_state(state))
    }

    /// How large the gradient of the last step's loss is at each state of each layer, by time, over the rows of
    /// `[batch, time]`: how far back the forecast of the last class listens. For a model on a device without autodiff.
    ///
    /// # Errors
    /// As [`Recurrent::gradient_norms`].
    pub fn gradient_norms(
        &self,
        inputs: &[u32],
        targets: &[u32],
        [batch, time]: [usize; 2],
    ) -> Result<Vec<Vec<StateGradient>>, FlowError> {
        let last: Vec<u32> = targets.iter().copied().skip(time - 1).step_by(time).collect();
        self.network.gradient_norms(self.input(inputs, [batch, time]), |logits| {
            let [_, _, classes] = logits.dims();
            let logits = logits.slice_dim(1, time - 1..time).reshape([batch, classes]);
            self.losses(logits, &last).mean()
        })
    }

    /// The input, and `∂L_t/∂H_t` of the loss `L_t` of each step, the mean over the rows of `[batch, time]`: what
    /// [`Recurrent::flow`] starts from. For a model on a device without autodiff.
    pub fn each_loss(
        &self,
        inputs: &[u32],
        targets: &[u32],
        [batch, time]: [usize; 2],
    ) -> [Tensor<3>; 2] {
        let input = self.input(inputs, [batch, time]);
        let d_hidden = self.network.d_hidden(input.clone(), |logits| {
            let logits = logits.reshape([batch * time, self.classes()]);
            // A step's logits are in no other step's loss.
            self.losses(logits, targets).sum() / batch as f64
        });
        [input, d_hidden]
    }

    /// Reads the weights: those of the network as [`Network::load_safetensors`] does, and
    /// `embedding.weight`.
    ///
    /// # Errors
    /// As there.
    pub fn read_safetensors(self, bytes: &[u8], file: &str) -> Result<Self, WeightsError> {
        weights::read(self, bytes, file, "")
    }

    /// Writes the weights with those names.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save_safetensors(&self, path: impl AsRef<Path>) -> Result<(), WeightsError> {
        weights::save(self, path.as_ref(), "")
    }
}

impl<C: StackCell> NamedWeights for CharacterModel<Recurrent<C>> {
    fn for_each_named(&mut self, prefix: &str, each: Each<'_>) -> Result<(), WeightsError> {
        if let Some(embedding) = &mut self.embedding {
            each(format!("{prefix}embedding.weight"), embedding)?;
        }
        self.network.for_each_named(prefix, each)
    }
}
