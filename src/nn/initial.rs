//! Initial weights. They are drawn on the host, so that every backend starts from the same numbers.

use crate::random::{Random, RngExt, SeedableRng};
use burn::config::Config;
use burn::module::Initializer;
use burn::tensor::{Device, Distribution, Tensor};
use rand_distr::{Distribution as _, StandardNormal};

/// The initial recurrent weights.
#[derive(Config, Debug, PartialEq)]
pub enum RecurrentInitializer {
    /// The identity times the gain (Le 2015, with relu: IRNN). If the matrix is not square, ones
    /// stand on its main diagonal.
    Identity {
        /// The factor.
        gain: f64,
    },
    /// Drawn by the initializer, each gate's block separately.
    Drawn {
        /// The initializer.
        initializer: Initializer,
    },
}

impl RecurrentInitializer {
    /// One gate's block `[rows, columns]` in row-major order.
    pub(super) fn draw(&self, rows: usize, columns: usize, random: &mut Random) -> Vec<f64> {
        match self {
            Self::Identity { gain } => (0..rows * columns)
                .map(|i| if i / columns == i % columns { *gain } else { 0.0 })
                .collect(),
            Self::Drawn { initializer } => draw(initializer, rows, columns, random),
        }
    }
}

/// Random numbers seeded by the device's own, which [`Device::seed`] makes repeatable.
pub(super) fn from_device(device: &Device) -> Random {
    let drawn = Tensor::<1>::random([2], Distribution::Uniform(0.0, 1.0), device);
    let seed = drawn
        .into_data()
        .iter::<f64>()
        .fold(0, |seed, u| (seed << 32) ^ u.to_bits().rotate_left(32));
    Random::seed_from_u64(seed)
}

/// A matrix `[rows, columns]` in row-major order, drawn by the initializer with `rows` as
/// the fan in and `columns` as the fan out.
///
/// The formulas are those of [`Initializer`]: Glorot & Bengio 2010 (Xavier), He 2015 (Kaiming),
/// Saxe 2013 (orthogonal: the rows, or the columns if there are fewer, are orthonormal times the
/// gain).
pub fn draw(
    initializer: &Initializer,
    rows: usize,
    columns: usize,
    random: &mut Random,
) -> Vec<f64> {
    let (fan_in, fan_out, count) = (rows as f64, columns as f64, rows * columns);
    let kaiming =
        |gain: f64, fan_out_only: bool| gain / if fan_out_only { fan_out } else { fan_in }.sqrt();
    let xavier = |gain: f64| gain * (2.0 / (fan_in + fan_out)).sqrt();
    let uniform = |deviation: f64| 3f64.sqrt() * deviation;
    match *initializer {
        Initializer::Constant { value } => vec![value; count],
        Initializer::Ones => vec![1.0; count],
        Initializer::Zeros => vec![0.0; count],
        Initializer::Uniform { min, max } => draw_uniform(min, max, count, random),
        Initializer::Normal { mean, std } => draw_normal(mean, std, count, random),
        Initializer::KaimingUniform { gain, fan_out_only } => {
            let bound = uniform(kaiming(gain, fan_out_only));
            draw_uniform(-bound, bound, count, random)
        }
        Initializer::KaimingNormal { gain, fan_out_only } => {
            draw_normal(0.0, kaiming(gain, fan_out_only), count, random)
        }
        Initializer::XavierUniform { gain } => {
            let bound = uniform(xavier(gain));
            draw_uniform(-bound, bound, count, random)
        }
        Initializer::XavierNormal { gain } => draw_normal(0.0, xavier(gain), count, random),
        Initializer::Orthogonal { gain } => draw_orthogonal(gain, rows, columns, random),
    }
}

fn draw_uniform(min: f64, max: f64, count: usize, random: &mut Random) -> Vec<f64> {
    (0..count).map(|_| min + (max - min) * random.random::<f64>()).collect()
}

fn draw_normal(mean: f64, deviation: f64, count: usize, random: &mut Random) -> Vec<f64> {
    let mut normal = || -> f64 { StandardNormal.sample(random) };
    (0..count).map(|_| mean + deviation * normal()).collect()
}

/// Normal vectors made orthonormal one after the other. Each is made orthogonal twice, which
/// keeps the result orthogonal to rounding (Giraud, Langou & Rozložník 2005).
fn draw_orthogonal(gain: f64, rows: usize, columns: usize, random: &mut Random) -> Vec<f64> {
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    while vectors.len() < count {
        let mut vector = draw_normal(0.0, 1.0, length, random);
        for other in vectors.iter().chain(&vectors) {
            let along: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
            vector.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
        }
        let norm = vector.iter().map(|a| a * a).sum::<f64>().sqrt();
        vector.iter_mut().for_each(|a| *a /= norm);
        vectors.push(vector);
    }
    let at = |row: usize, column: usize| {
        if rows <= columns { vectors[row][column] } else { vectors[column][row] }
    };
    (0..rows * columns).map(|i| gain * at(i / columns, i % columns)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(initializer: Initializer, rows: usize, columns: usize) -> (f64, f64) {
        let values = draw(&initializer, rows, columns, &mut Random::seed_from_u64(3));
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt())
    }

    #[test]
    fn the_deviation_is_the_published_one() {
        let xavier = (2.0f64 / 500.0).sqrt();
        let cases = [
            (Initializer::XavierNormal { gain: 1.0 }, xavier),
            (Initializer::XavierUniform { gain: 2.0 }, 2.0 * xavier),
            (Initializer::KaimingNormal { gain: 1.0, fan_out_only: false }, 1.0 / 200f64.sqrt()),
            (Initializer::KaimingUniform { gain: 1.0, fan_out_only: true }, 1.0 / 300f64.sqrt()),
            (Initializer::Uniform { min: -0.5, max: 0.5 }, 1.0 / 12f64.sqrt()),
            (Initializer::Normal { mean: 0.0, std: 0.3 }, 0.3),
        ];
        for (initializer, expected) in cases {
            let (mean, deviation) = moments(initializer.clone(), 200, 300);
            assert!(mean.abs() < 0.02 * expected, "{initializer:?}: mean {mean}");
            assert!(
                (deviation / expected - 1.0).abs() < 0.02,
                "{initializer:?}: {deviation} for {expected}"
            );
        }
    }

    #[test]
    fn orthogonal_rows_or_columns() {
        for (rows, columns) in [(5, 5), (3, 8), (8, 3)] {
            let gain = 1.5;
            let m = draw(
                &Initializer::Orthogonal { gain },
                rows,
                columns,
                &mut Random::seed_from_u64(1),
            );
            let at = |i: usize, j: usize| {
                if rows <= columns { m[i * columns + j] } else { m[j * columns + i] }
            };
            for i in 0..rows.min(columns) {
                for j in 0..=i {
                    let product: f64 = (0..rows.max(columns)).map(|k| at(i, k) * at(j, k)).sum();
                    let expected = if i == j { gain * gain } else { 0.0 };
                    assert!(
                        (product - expected).abs() < 1e-14,
                        "{rows}×{columns} at {i}, {j}: {product}"
                    );
                }
            }
        }
    }
}
