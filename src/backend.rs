//! A backend by name: the only file that names one to choose it.
// burn-ndarray is deprecated in favour of burn-flex; it is served here as long as Burn has it.
#![allow(deprecated)]

use crate::names::names;
use burn::tensor::Device;

/// The CPU backends of Burn that this crate serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// burn-flex.
    Flex,
    /// burn-ndarray.
    NdArray,
}

impl Backend {
    /// The backends that this build has, the default one first.
    pub fn available() -> Vec<Self> {
        [Self::Flex, Self::NdArray].into_iter().filter(|backend| backend.device().is_ok()).collect()
    }

    /// The backend's device.
    ///
    /// # Errors
    /// If this build was made without the backend.
    pub fn device(self) -> Result<Device, NotBuilt> {
        match self {
            #[cfg(feature = "ndarray")]
            Self::NdArray => Ok(Device::ndarray()),
            #[cfg(feature = "flex")]
            Self::Flex => Ok(Device::flex()),
            #[allow(unreachable_patterns)]
            backend => Err(NotBuilt(backend)),
        }
    }
}

names! { Backend, "a backend", Flex = "flex", NdArray = "ndarray" }

/// The faster one that this build has: burn-flex. It is the one of `Device::default()` too.
impl Default for Backend {
    fn default() -> Self {
        if cfg!(feature = "flex") { Self::Flex } else { Self::NdArray }
    }
}

/// This build was made without the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this build has no {0} backend: build it with --features {0}")]
pub struct NotBuilt(Backend);
