//! Random numbers: the same on every machine and backend.
//!
//! ```
//! use bptt::random::{Random, RngExt, SeedableRng};
//!
//! let mut random = Random::seed_from_u64(1);
//! let drawn: f64 = random.random_range(-1.0..1.0);
//! assert_eq!(Random::seed_from_u64(1).random_range(-1.0..1.0), drawn);
//! ```

pub use rand::{RngExt, SeedableRng};

/// What everything here is drawn from: weights, masks, tasks.
pub type Random = chacha20::ChaCha8Rng;
