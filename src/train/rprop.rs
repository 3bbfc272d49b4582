//! Rprop: resilient backpropagation (Riedmiller & Braun 1993, "A direct adaptive method for faster
//! backpropagation learning: the RPROP algorithm"), the variant without weight backtracking.

use burn::config::Config;
use burn::optim::{LearningRate, ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};

/// Configuration of [`Rprop`]. The published values are the defaults.
#[derive(Config, Debug)]
pub struct RpropConfig {
    /// By how much a step grows while the gradient keeps its sign.
    #[config(default = 1.2)]
    pub eta_plus: f64,
    /// By how much a step shrinks when the gradient changes its sign.
    #[config(default = 0.5)]
    pub eta_minus: f64,
    /// The smallest step.
    #[config(default = 1e-6)]
    pub step_min: f64,
    /// The largest step.
    #[config(default = 50.0)]
    pub step_max: f64,
}

impl RpropConfig {
    /// The optimizer for a module. Its learning rate is the first step of every weight.
    pub fn init(&self) -> ModuleOptimizer {
        ModuleOptimizer::from(Rprop { config: self.clone() })
    }
}

/// Each weight goes against the sign of its gradient by a step of its own; the size of the
/// gradient does not matter, which is what carries it over the cliffs of an exploding gradient:
///
/// ```text
/// Δ_t = Δ_{t-1} η+   if g_t g_{t-1} > 0
///       Δ_{t-1} η−   if g_t g_{t-1} < 0
///       Δ_{t-1}      otherwise
/// w_t = w_{t-1} − sign(g_t) Δ_t
/// ```
///
/// It wants the gradient of the whole data set at each step, not of a batch.
#[derive(Clone, Debug)]
pub struct Rprop {
    config: RpropConfig,
}

/// What [`Rprop`] remembers of a parameter.
#[derive(Clone)]
pub struct RpropState<const D: usize> {
    /// Δ: the step of each weight.
    step: Tensor<D>,
    /// The sign of the gradient before: −1, 0 or 1.
    sign: Tensor<D>,
}

impl<const D: usize> RecordState for RpropState<D> {
    fn state_flatten(&self, prefix: &str, sink: &mut StateSink) {
        sink.push_tensor(prefix, "step", self.step.to_data());
        sink.push_tensor(prefix, "sign", self.sign.to_data());
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        let mut tensor = |leaf| {
            let data = source.take_tensor(prefix, leaf)?;
            let dtype = data.dtype();
            Some(Tensor::from_data(data, (device, dtype)))
        };
        Some(Self { step: tensor("step")?, sign: tensor("sign")? })
    }
}

impl Optimizer for Rprop {
    type State<const D: usize> = RpropState<D>;

    fn step<const D: usize>(
        &self,
        first_step: LearningRate,
        tensor: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let sign = gradient.sign();
        let step = match state {
            None => sign.ones_like() * first_step,
            Some(RpropState { step, sign: before }) => {
                let turn = sign.clone() * before;
                step.clone()
                    .mask_where(turn.clone().greater_elem(0.0), step.clone() * self.config.eta_plus)
                    .mask_where(turn.lower_elem(0.0), step * self.config.eta_minus)
                    .clamp(self.config.step_min, self.config.step_max)
            }
        };
        (tensor - sign.clone() * step.clone(), Some(RpropState { step, sign }))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        RpropState { step: state.step.to_device(device), sign: state.sign.to_device(device) }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::host;

    fn step(
        w: [f64; 3],
        g: [f64; 3],
        state: Option<RpropState<1>>,
    ) -> (Vec<f64>, Option<RpropState<1>>) {
        let device = Device::default();
        let tensor =
            |values: [f64; 3]| Tensor::<1>::from_data(values, (&device, burn::tensor::DType::F64));
        let rprop = Rprop { config: RpropConfig::new().with_step_max(0.13) };
        let (w, state) = rprop.step(0.1, tensor(w), tensor(g), state);
        (host(w), state)
    }

    #[test]
    fn a_kept_sign_grows_a_changed_sign_shrinks_and_zero_waits() {
        let (w, state) = step([1.0, 1.0, 1.0], [5.0, -5.0, 0.0], None);
        assert_eq!(w, [0.9, 1.1, 1.0]);
        let (w, state) = step([1.0, 1.0, 1.0], [9.0, 1e-9, 1.0], state);
        assert_eq!(w, [1.0 - 0.1 * 1.2, 1.0 - 0.1 * 0.5, 1.0 - 0.1]);
        // 0.144 is past the largest step.
        let (w, _) = step([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], state);
        assert_eq!(w, [1.0 - 0.13, 1.0 - 0.05 * 1.2, 1.0 - 0.1 * 1.2]);
    }
}
