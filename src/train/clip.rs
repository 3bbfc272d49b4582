//! Gradient clipping by the norm of all parameters together (Pascanu, Mikolov & Bengio 2013, section 3.2).

use super::host;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// Scales all gradients of the module by one factor, so that their norm as one vector is at most
/// `largest`, and returns what the norm was. The direction stays. (Burn's own clipping takes each
/// parameter by itself.) A norm that is no number leaves the gradients as they are: they are not to be stepped along.
pub fn clip_norm<M: Module>(gradients: &mut GradientsParams, module: &M, largest: f64) -> f64 {
    let mut norm = Norm { gradients, squares: 0.0 };
    module.visit(&mut norm);
    let norm = norm.squares.sqrt();
    if norm > largest && norm.is_finite() {
        module.visit(&mut Scale { gradients, factor: largest / norm });
    }
    norm
}

struct Norm<'a> {
    gradients: &'a GradientsParams,
    squares: f64,
}

impl ModuleVisitor for Norm<'_> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(parameter.id) {
            self.squares += host(gradient).iter().map(|g| g * g).sum::<f64>();
        }
    }
}

struct Scale<'a> {
    gradients: &'a mut GradientsParams,
    factor: f64,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(parameter.id) {
            self.gradients.register(parameter.id, gradient * self.factor);
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::nn::{Random, Readout};
    use burn::tensor::Device;
    use rand::SeedableRng;

    #[test]
    fn all_parameters_are_scaled_by_one_factor() {
        let device = Device::default().autodiff();
        let readout = Readout::new(2, 2, &device, &mut Random::seed_from_u64(1));
        let gradients = || {
            let loss = readout.w_2.val().sum() * 3.0 + readout.b_2.val().sum() * 4.0;
            GradientsParams::from_grads(loss.backward(), &readout)
        };
        // √(4 · 3² + 2 · 4²)
        let norm = 68f64.sqrt();
        let mut clipped = gradients();
        assert!((clip_norm(&mut clipped, &readout, 1.0) - norm).abs() < 1e-6);
        let w_2 = host(clipped.get::<2>(readout.w_2.id).unwrap());
        let b_2 = host(clipped.get::<1>(readout.b_2.id).unwrap());
        assert!(w_2.iter().all(|g| (g - 3.0 / norm).abs() < 1e-6), "{w_2:?}");
        assert!(b_2.iter().all(|g| (g - 4.0 / norm).abs() < 1e-6), "{b_2:?}");
        let mut small = gradients();
        clip_norm(&mut small, &readout, 100.0);
        assert_eq!(host(small.get::<2>(readout.w_2.id).unwrap()), [3.0; 4]);
    }
}
