//! The data type of a computation by name.

use crate::names::names;
use burn::tensor::DType;

/// The data types that a network is trained in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataType {
    /// Single precision.
    #[default]
    F32,
    /// Double precision.
    F64,
}

names! { DataType, "a data type", F32 = "f32", F64 = "f64" }

impl From<DataType> for DType {
    fn from(data_type: DataType) -> Self {
        match data_type {
            DataType::F32 => Self::F32,
            DataType::F64 => Self::F64,
        }
    }
}
