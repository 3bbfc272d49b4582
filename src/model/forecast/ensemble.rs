//! Networks that differ in what is drawn, and whose forecasts are averaged.

use super::{Forecaster, NetworkForecaster, Output, Pasts, mean};
use crate::model::Network;
use crate::nn::Recurrent;
use crate::nn::weights::{Each, NamedWeights, WeightsError};
use burn::module::Module;
use burn::tensor::{DType, Device};

/// Networks that differ in what is drawn: their weights at the start and the order of their windows.
#[derive(Module, Debug)]
pub struct NetworkEnsemble<R: Module> {
    /// The networks, one at least.
    pub members: Vec<Network<R>>,
}

impl NamedWeights for NetworkEnsemble<Recurrent> {
    /// One alone has the names of a network.
    fn for_each_named(&mut self, prefix: &str, each: Each<'_>) -> Result<(), WeightsError> {
        if let [network] = self.members.as_mut_slice() {
            return network.for_each_named(prefix, each);
        }
        for (number, member) in self.members.iter_mut().enumerate() {
            member.for_each_named(&format!("{prefix}members.{number}."), each)?;
        }
        Ok(())
    }
}

/// The mean of the forecasts of networks, in the scale that they work in.
#[derive(Debug)]
pub struct EnsembleForecaster {
    /// The networks, one at least, all with the same outputs and window.
    pub members: Vec<NetworkForecaster>,
}

impl EnsembleForecaster {
    /// The forecaster of each network of an ensemble, which is on a device without autodiff.
    pub fn new(
        ensemble: NetworkEnsemble<Recurrent>,
        (output, window): (&Output, usize),
        (device, dtype): (&Device, DType),
    ) -> Self {
        let forecaster = |network| {
            let (output, device) = (output.clone(), device.clone());
            NetworkForecaster { network, output, window, device, dtype }
        };
        Self { members: ensemble.members.into_iter().map(forecaster).collect() }
    }
}

impl Forecaster for EnsembleForecaster {
    fn reach(&self) -> usize {
        self.members[0].reach()
    }

    fn horizon(&self) -> usize {
        self.members[0].horizon()
    }

    fn ahead(&self, pasts: Pasts<'_>) -> Vec<f64> {
        let each: Vec<Vec<f64>> = self.members.iter().map(|member| member.ahead(pasts)).collect();
        mean(&each)
    }
}
