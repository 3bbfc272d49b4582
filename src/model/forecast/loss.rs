//! What a network that forecasts makes small.

use crate::names::names;
use burn::tensor::Tensor;

/// A loss of errors `e` of standardised values, the mean over all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// `e²`: the forecast is a mean.
    #[default]
    Squared,
    /// `|e|`: the forecast is a median, which a few wild rows do not move.
    Absolute,
    /// `e² / 2` up to 1, `|e| − ½` beyond (Huber 1964): a mean without the wild rows.
    Huber,
}

names! {
    Loss, "a loss", Squared = "squared", Absolute = "absolute", Huber = "huber",
}

impl Loss {
    /// The loss of one error.
    pub fn of(self, error: f64) -> f64 {
        let size = error.abs();
        match self {
            Self::Squared => error * error,
            Self::Absolute => size,
            Self::Huber if size <= 1.0 => 0.5 * error * error,
            Self::Huber => size - 0.5,
        }
    }

    /// The mean loss of a tensor of errors.
    pub fn mean(self, errors: Tensor<3>) -> Tensor<1> {
        match self {
            Self::Squared => errors.powi_scalar(2).mean(),
            Self::Absolute => errors.abs().mean(),
            Self::Huber => {
                // With the part c of an error within ±1 it is c²/2 + |e − c|.
                let within = errors.clone().clamp(-1.0, 1.0);
                let beyond = (errors - within.clone()).abs();
                (within.powi_scalar(2) * 0.5 + beyond).mean()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn a_tensor_s_loss_and_gradient_are_those_of_its_errors() {
        let errors = [-3.0, -1.0, -0.25, 0.0, 0.5, 1.5, 4.0, 0.75];
        for loss in [Loss::Squared, Loss::Absolute, Loss::Huber] {
            let device = Device::default().autodiff();
            let tensor =
                Tensor::<3>::from_data(TensorData::new(errors.to_vec(), [2, 2, 2]), &device);
            let tensor = tensor.require_grad();
            let mean = loss.mean(tensor.clone());
            let found = crate::host::host(mean.clone())[0];
            let expected = errors.map(|error| loss.of(error)).iter().sum::<f64>() / 8.0;
            assert!((found - expected).abs() < 1e-6, "{loss}: {found} {expected}");
            let gradient = tensor.grad(&mean.backward()).unwrap();
            for (found, error) in crate::host::host(gradient).into_iter().zip(errors) {
                let by = 1e-6;
                let slope = (loss.of(error + by) - loss.of(error - by)) / (2.0 * by);
                assert!((8.0 * found - slope).abs() < 1e-4, "{loss} {error}: {found} {slope}");
            }
        }
    }
}
