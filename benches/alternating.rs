//! Times several things in turn, A B A B, so that what disturbs the machine disturbs each alike.

use std::time::Instant;

/// The median time of each in milliseconds, over `rounds` rounds after two to warm up.
pub fn medians<const N: usize>(rounds: usize, mut candidates: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut times: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    for round in 0..rounds + 2 {
        for (candidate, times) in candidates.iter_mut().zip(&mut times) {
            let start = Instant::now();
            candidate();
            if round >= 2 {
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}
