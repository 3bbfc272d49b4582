//! A backend by name: the only file that names one to choose it.
// burn-ndarray is deprecated in favour of burn-flex; it is served here as long as Burn has it.
#![allow(deprecated)]

use burn::tensor::Device;
use std::fmt;
use std::str::FromStr;

/// The CPU backends of Burn that this crate serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// burn-ndarray.
    NdArray,
    /// burn-flex.
    Flex,
}

impl Backend {
    /// Every backend by its name.
    const ALL: [(Self, &str); 2] = [(Self::NdArray, "ndarray"), (Self::Flex, "flex")];

    /// The backends that this build has, the default one first.
    pub fn available() -> Vec<Self> {
        let built = |&(backend, _): &(Self, &str)| backend.device().is_ok().then_some(backend);
        Self::ALL.iter().filter_map(built).collect()
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

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(backend, _)| backend == self).map(|(_, name)| name);
        f.write_str(name.expect("every backend has a name"))
    }
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(_, known)| *known == name);
        found
            .map(|(backend, _)| *backend)
            .ok_or_else(|| format!("'{name}' is not a backend: ndarray or flex"))
    }
}

/// This build was made without the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this build has no {0} backend: build it with --features {0}")]
pub struct NotBuilt(Backend);
