//! An optimizer by name.

use super::RpropConfig;
use crate::names::names;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, ModuleOptimizer, RmsPropConfig, SgdConfig};

/// Which optimizer takes the steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerName {
    /// Kingma & Ba 2015, ε = 1e-8.
    #[default]
    Adam,
    /// Loshchilov & Hutter 2019, ε = 1e-8, decay 0.01.
    AdamW,
    /// With momentum 0.9.
    Sgd,
    /// Hinton 2012.
    RmsProp,
    /// Riedmiller & Braun 1993: for the gradient of all data at once.
    Rprop,
}

names! {
    OptimizerName, "an optimizer",
    Adam = "adam", AdamW = "adamw", Sgd = "sgd", RmsProp = "rmsprop", Rprop = "rprop",
}

impl OptimizerName {
    /// The optimizer before its first step.
    pub fn init(self) -> ModuleOptimizer {
        match self {
            Self::Adam => AdamConfig::new().with_epsilon(1e-8).init(),
            Self::AdamW => AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(0.01).init(),
            Self::Sgd => SgdConfig::new().with_momentum(Some(MomentumConfig::new())).init(),
            Self::RmsProp => RmsPropConfig::new().init(),
            Self::Rprop => RpropConfig::new().init(),
        }
    }
}
