//! Options that several subcommands share.

use super::Failure;
use super::output::note;
use bptt::backend::Backend;
use bptt::kernel::InstructionSet;
use bptt::nn::{Gradient, Precision, Truncation};
use bptt::train::DataType;
use bptt::train::lessons::Computing;
use burn::tensor::{DType, Device, FloatDType};
use bytesize::ByteSize;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::str::FromStr;

/// Where and how to compute.
#[derive(Args, Clone, Debug)]
pub struct Compute {
    /// CPU backend
    #[arg(long, value_name = "NAME", default_value_t, value_parser = named::<Backend>(Backend::NAMES))]
    pub backend: Backend,
    /// Data type: single or double precision
    #[arg(long, value_name = "TYPE", default_value = "f32", value_parser = named::<DataType>(DataType::NAMES))]
    pub dtype: DataType,
    /// Seed of everything that is drawn, below 2^63
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = seed)]
    pub seed: u64,
    /// Threads at work [default: RAYON_NUM_THREADS, or all cores]
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<usize>,
}

impl Compute {
    /// The backend's device, with as many threads as were asked for.
    pub fn device(&self) -> Result<Device, Failure> {
        if let Some(threads) = self.threads {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
        }
        if self.dtype == DataType::F64 {
            // Burn reads an optimizer's record into the default type of the default device.
            Device::default().configure(FloatDType::F64)?;
        }
        Ok(self.backend.device()?)
    }
}

/// How the gradient of a training is computed.
#[derive(Args, Clone, Debug)]
pub struct Backward {
    /// Which part of the gradient through time: full, window:K, sliding:K1,K2 or random:P
    #[arg(long, value_name = "HOW", default_value = "full")]
    pub truncate: Truncation,
    /// The most memory that the manual path keeps for its backward pass, as 64MiB; it computes the rest
    /// again
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub memory_budget: Option<usize>,
    /// What the products multiply: the numbers as they are, or rounded to bf16, which is several times as fast where the
    /// processor multiplies it
    #[arg(long, value_name = "TYPE", default_value = "f32", value_parser = named::<Precision>(Precision::NAMES))]
    pub precision: Precision,
    /// The hand-written gradient, or Burn's autodiff through the unrolled recurrence
    #[arg(long, value_name = "PATH", default_value = "manual", value_parser = named::<Gradient>(Gradient::NAMES))]
    pub gradient: Gradient,
}

impl Backward {
    /// How the gradient is computed and where.
    pub fn computing(&self, compute: &Compute) -> Result<Computing, Failure> {
        self.check(compute)?;
        Ok(Computing {
            truncation: self.truncate,
            memory_budget: self.memory_budget,
            precision: self.precision,
            gradient: self.gradient,
            dtype: compute.dtype.into(),
            device: compute.device()?,
        })
    }

    /// Refuses what contradicts itself.
    pub fn check(&self, compute: &Compute) -> Result<(), Failure> {
        check_precision(self.precision, compute)?;
        match (self.memory_budget, self.gradient) {
            (Some(_), Gradient::Autodiff) => Err(Failure(
                "--memory-budget is for --gradient manual: Burn's autodiff keeps what it keeps"
                    .into(),
            )),
            _ => Ok(()),
        }
    }
}

/// Refuses to round double precision, and says once where rounding is not faster.
pub fn check_precision(precision: Precision, compute: &Compute) -> Result<(), Failure> {
    if precision == Precision::Full {
        return Ok(());
    }
    if compute.dtype != DataType::F32 {
        return Err(Failure(format!("--precision bf16 is for --dtype f32, not {}", compute.dtype)));
    }
    let set = InstructionSet::chosen().map_err(|error| Failure(error.to_string()))?;
    if !set.multiplies_bf16() {
        note(format_args!(
            "this processor does not multiply bf16: the numbers are rounded, which is not faster than f32"
        ));
    }
    Ok(())
}

/// One of the names, as the value that it stands for.
pub fn named<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err: std::fmt::Debug> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).map(|name| name.parse().expect("it is one of the names"))
}

/// Bytes of a number.
pub fn bytes(data_type: DataType) -> f64 {
    DType::from(data_type).size() as f64
}

/// A whole number from 1 to the largest size that makes sense on one machine.
pub fn size(text: &str) -> Result<usize, String> {
    const LARGEST: usize = 1_000_000;
    match text.parse::<usize>() {
        Ok(size) if (1..=LARGEST).contains(&size) => Ok(size),
        _ => Err(format!("give a whole number from 1 to {LARGEST}")),
    }
}

/// A size of memory in bytes.
pub fn memory(text: &str) -> Result<usize, String> {
    let size = text.parse::<ByteSize>().ok().and_then(|size| usize::try_from(size.as_u64()).ok());
    size.filter(|&size| size > 0).ok_or_else(|| "give a size of memory, as 64MiB".into())
}

/// A seed that the configuration of a run can hold: TOML has no larger whole numbers.
fn seed(text: &str) -> Result<u64, String> {
    let seed = text.parse::<u64>().ok().filter(|seed| i64::try_from(*seed).is_ok());
    seed.ok_or_else(|| format!("give a whole number from 0 to {}", i64::MAX))
}

/// A number of threads.
fn threads(text: &str) -> Result<usize, String> {
    const MOST: usize = 1024;
    match text.parse::<usize>() {
        Ok(threads) if (1..=MOST).contains(&threads) => Ok(threads),
        _ => Err(format!("give a whole number from 1 to {MOST}")),
    }
}

/// A finite number.
pub fn number(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err("give a finite number".into()),
    }
}

/// A finite number above zero.
pub fn positive(text: &str) -> Result<f64, String> {
    number(text).ok().filter(|value| *value > 0.0).ok_or_else(|| "give a number above 0".into())
}

/// A share of a whole, between 0 and 1 and neither of them.
pub fn share(text: &str) -> Result<f64, String> {
    positive(text)
        .ok()
        .filter(|value| *value < 1.0)
        .ok_or_else(|| "give a number between 0 and 1".into())
}

/// A share that may be none: at least 0 and below 1.
pub fn rate(text: &str) -> Result<f64, String> {
    let rate = number(text).ok().filter(|value| (0.0..1.0).contains(value));
    rate.ok_or_else(|| "give a number from 0 up to, not including, 1".into())
}
