//! The optimizer's record: Burn's bytes in one order, and a look at every shape before Burn reads them.

use crate::train::OptimizerName;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Bytes, DType, Tensor};
use burn_pack::{Reader, Scalar, Writer};
use std::collections::BTreeMap;

/// The record's bytes in the order of the names in it; Burn's are in that of a hash map.
///
/// # Errors
/// If they are no record.
pub(in crate::train) fn sorted_record(record: Bytes) -> Result<Vec<u8>, burn_pack::Error> {
    let reader = Reader::from_bytes(record)?;
    let (scalars, paths) = (reader.scalars().clone(), reader.metadata().clone());
    // The reader has them in order.
    let mut writer = Writer::new(reader.into_tensors()?);
    for (name, value) in &scalars {
        writer = writer.with_scalar(name, *value);
    }
    for (name, path) in &paths {
        writer = writer.with_metadata(name, path);
    }
    Ok(writer.into_bytes()?.to_vec())
}

/// What is in a record, but the numbers.
#[derive(PartialEq)]
struct Content {
    tensors: Vec<(String, DType, Vec<usize>, Option<u64>)>,
    scalars: BTreeMap<String, Scalar>,
    paths: BTreeMap<String, String>,
}

/// The content of a record, and the name of a tensor in it that holds what is no number.
fn content(record: Bytes) -> Result<(Content, Option<String>), burn_pack::Error> {
    let reader = Reader::from_bytes(record)?;
    let (scalars, paths) = (reader.scalars().clone(), reader.metadata().clone());
    let (mut tensors, mut strange) = (Vec::new(), None);
    for tensor in reader.into_tensors()? {
        let (name, dtype, shape, parameter, bytes) = tensor.into_parts()?;
        if !is_finite(dtype, &bytes) {
            strange.get_or_insert_with(|| name.clone());
        }
        tensors.push((name, dtype, shape.to_vec(), parameter));
    }
    Ok((Content { tensors, scalars, paths }, strange))
}

fn is_finite(dtype: DType, bytes: &[u8]) -> bool {
    match dtype {
        DType::F64 => super::format::finite(safetensors::Dtype::F64, bytes),
        DType::F32 => super::format::finite(safetensors::Dtype::F32, bytes),
        // No optimizer's record has it, and its shape is refused.
        _ => true,
    }
}

/// The name of a tensor in the record that holds what is no number.
///
/// # Errors
/// If it is no record.
pub(in crate::train) fn strange_in_record(
    record: &[u8],
) -> Result<Option<String>, burn_pack::Error> {
    Ok(content(Bytes::from_bytes_vec(record.to_vec()))?.1)
}

/// Compares the names, shapes, types and counters in a record with those that `optimizer` has for this model after so many
/// steps. What is missing in a record Burn would take for a first step, and another shape would stop its kernels.
///
/// # Errors
/// What is wrong.
pub(in crate::train) fn check_record<M: Module>(
    record: &[u8],
    (optimizer, model): (OptimizerName, &M),
    steps: usize,
) -> Result<(), String> {
    let named = |error: burn_pack::Error| error.to_string();
    let bytes = || Bytes::from_bytes_vec(record.to_vec());
    let (found, strange) = content(bytes()).map_err(named)?;
    if sorted_record(bytes()).map_err(named)?.len() != record.len() {
        return Err("it is longer than what is in it".into());
    }
    if let Some(name) = strange {
        return Err(format!("'{name}' holds what is no number"));
    }
    // Another first step, without a gradient, has all that there is to find.
    let mut gradients = GradientsParams::new();
    model.visit(&mut Zeros(&mut gradients));
    let mut like = optimizer.init();
    like.step(1.0, model.clone(), gradients);
    let like = like.into_bytes().map_err(|error| error.to_string())?;
    let (expected, _) = content(like).map_err(named)?;

    for (name, dtype, shape, parameter) in &expected.tensors {
        match found.tensors.iter().find(|tensor| tensor.0 == *name) {
            None => return Err(format!("it has no '{name}'")),
            Some((_, other, found, id)) => {
                if (other, found, id) != (dtype, shape, parameter) {
                    return Err(format!(
                        "'{name}' has the shape {found:?} of {other:?}, and the model {shape:?} of {dtype:?}"
                    ));
                }
            }
        }
    }
    if found.tensors.len() != expected.tensors.len() || found.paths != expected.paths {
        return Err("it is another model's".into());
    }
    let counted = |name: &str, expected: &Scalar| match name.ends_with("__rank") {
        true => Some(*expected),
        // Each parameter has taken every step; a first one has taken one.
        false => (*expected == Scalar::from(1usize)).then(|| Scalar::from(steps)),
    };
    for (name, value) in &expected.scalars {
        let expected = counted(name, value);
        match found.scalars.get(name) {
            Some(found) if expected.is_none_or(|expected| expected == *found) => {}
            _ => return Err(format!("'{name}' is not what it is after {steps} steps")),
        }
    }
    match found.scalars.len() == expected.scalars.len() {
        true => Ok(()),
        false => Err("it counts what the optimizer does not".into()),
    }
}

/// Gives each parameter a gradient of zeros.
struct Zeros<'a>(&'a mut GradientsParams);

impl ModuleVisitor for Zeros<'_> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        self.0.register(parameter.id, parameter.val().inner().zeros_like());
    }
}
