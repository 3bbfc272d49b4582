//! The µ-law: a sample of sound as one of 256 levels, with fine levels for quiet and coarse levels for loud sound.
//!
//! With µ = 255, as in ITU-T G.711 (1972) and WaveNet (van den Oord 2016), and `x` in [−1, 1]:
//! ```text
//! F(x)    = sgn(x) ln(1 + µ|x|) / ln(1 + µ)
//! F⁻¹(y)  = sgn(y) ((1 + µ)^|y| − 1) / µ
//! level   = ⌊128 (F(x) + 1)⌋, at most 255
//! ```
//! A level is a bin of width 1/128 in `F`. Zero is the border between levels 127 and 128. A level is decoded to the
//! middle of its bin in `F`.

/// µ.
pub const MU: f64 = 255.0;

/// The number of levels.
pub const LEVELS: usize = 256;

/// `F(x)`, for any finite `x`. `F(decode(level))` is `(level + ½)/128 − 1`.
pub fn compressed(sample: f64) -> f64 {
    ((MU * sample.abs()).ln_1p() / MU.ln_1p()).copysign(sample)
}

/// `F⁻¹(y)`. The bin of a level is from `F⁻¹(level/128 − 1)` on and below `F⁻¹((level + 1)/128 − 1)`.
pub fn expanded(value: f64) -> f64 {
    ((value.abs() * MU.ln_1p()).exp_m1() / MU).copysign(value)
}

/// The level of a sample. A sample beyond ±1 has the level of ±1.
///
/// ```
/// use bptt::data::mu_law::{decode, encode};
///
/// assert_eq!([-1.0, -1e-9, 0.0, 1.0].map(encode), [0, 127, 128, 255]);
/// assert!((decode(encode(0.25)) - 0.25).abs() < 0.0045);
/// ```
pub fn encode(sample: f64) -> u8 {
    // The conversion saturates at both ends.
    (128.0 * (compressed(sample) + 1.0)).floor() as u8
}

/// The sample of a level, the middle of its bin in `F`: `F⁻¹((level + ½)/128 − 1)`.
pub fn decode(level: u8) -> f64 {
    expanded((f64::from(level) + 0.5) / 128.0 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The two samples that bound a level's bin.
    fn borders(level: u8) -> [f64; 2] {
        [0.0, 1.0].map(|edge| expanded((f64::from(level) + edge) / 128.0 - 1.0))
    }

    #[test]
    fn every_level_is_the_level_of_its_sample() {
        for level in 0..=255 {
            assert_eq!(encode(decode(level)), level);
            let [lower, upper] = borders(level);
            assert!(lower < decode(level) && decode(level) < upper, "{level}");
            assert!((borders(255 - level)[0] + upper).abs() < 1e-15, "not symmetric at {level}");
            if level < 255 {
                assert_eq!(borders(level + 1)[0], upper);
            }
        }
        let ends = [borders(0)[0] + 1.0, borders(127)[1], borders(255)[1] - 1.0];
        assert!(ends.iter().all(|end| end.abs() < 1e-15), "{ends:?}");
    }

    #[test]
    fn what_is_too_loud_is_clipped() {
        assert_eq!([-7.0, f64::MIN, 7.0, f64::MAX].map(encode), [0, 0, 255, 255]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn the_error_is_below_half_a_bin(sample in -1.0f64..=1.0) {
            // A bin's width in F is 1/128, and dF⁻¹/dy = (|x| + 1/µ) ln(1 + µ): half a bin above x is less than
            // (|x| + 1/µ)((1 + µ)^(1/256) − 1).
            let most = (sample.abs() + 1.0 / MU) * ((1.0 + MU).powf(1.0 / 256.0) - 1.0);
            let error = (decode(encode(sample)) - sample).abs();
            prop_assert!(error <= most * (1.0 + 1e-9), "{sample}: {error} above {most}");
        }

        #[test]
        fn louder_is_never_a_lower_level(a in -1.5f64..1.5, b in -1.5f64..1.5) {
            prop_assert!(encode(a.min(b)) <= encode(a.max(b)));
        }

        #[test]
        fn a_sample_lies_in_its_bin(sample in -0.999f64..0.999) {
            let [lower, upper] = borders(encode(sample));
            prop_assert!(lower - 1e-15 <= sample && sample <= upper + 1e-15);
        }
    }
}
