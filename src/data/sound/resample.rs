//! From one sample rate to another, block by block.

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

/// What comes in at one rate goes out at another, block by block.
pub(super) struct Resampled<'a> {
    /// None if both rates are the same.
    resampler: Option<Fft<f32>>,
    /// From one rate to the other.
    rates: [u64; 2],
    /// Samples of a block that come in.
    block: usize,
    input: Vec<f32>,
    output: Vec<f32>,
    /// Samples that came in.
    taken: u64,
    /// Samples of the resampler's delay that have yet to be left out.
    delay: usize,
    /// Samples that were there before.
    first: usize,
    most: usize,
    samples: &'a mut Vec<f32>,
}

impl<'a> Resampled<'a> {
    pub fn new(rates: [u32; 2], most: usize, samples: &'a mut Vec<f32>) -> Self {
        /// Samples of a block at the lower of the two rates: the filter's length.
        const BLOCK: u32 = 1024;
        let resampler = (rates[0] != rates[1]).then(|| {
            let divisor = greatest_common_divisor(rates[0], rates[1]);
            let [from, to] = rates.map(|rate| rate / divisor);
            // An even number of the smallest blocks, so that the delay, half a block, is a whole number of samples at
            // both rates.
            let blocks = BLOCK.div_ceil(from.min(to)).next_multiple_of(2);
            let [from, to, chunk] = [rates[0], rates[1], blocks * from].map(|n| n as usize);
            let window = WindowFunction::BlackmanHarris2;
            Fft::new_custom(from, to, chunk, 1, 1, window, FixedSync::Both)
                .expect("rates and block are above zero")
        });
        let [block, output, delay] = resampler.as_ref().map_or([0; 3], |resampler| {
            [resampler.input_frames_max(), resampler.output_frames_max(), resampler.output_delay()]
        });
        Self {
            resampler,
            rates: rates.map(u64::from),
            block,
            input: Vec::with_capacity(block),
            output: vec![0.0; output],
            taken: 0,
            delay,
            first: samples.len(),
            most,
            samples,
        }
    }

    /// None if there is no room.
    pub fn push(&mut self, sample: f32) -> Option<()> {
        self.taken += 1;
        if self.resampler.is_none() {
            return self.keep(&[sample]);
        }
        self.input.push(sample);
        match self.input.len() == self.block {
            true => self.resample(),
            false => Some(()),
        }
    }

    fn keep(&mut self, samples: &[f32]) -> Option<()> {
        (self.samples.len() + samples.len() <= self.most)
            .then(|| self.samples.extend_from_slice(samples))
    }

    /// Resamples a full block.
    fn resample(&mut self) -> Option<()> {
        let Some(resampler) = &mut self.resampler else { return Some(()) };
        let (taken, made) = (self.input.len(), self.output.len());
        let input = SequentialSlice::new(&self.input, 1, taken).expect("one channel");
        let mut output = SequentialSlice::new_mut(&mut self.output, 1, made).expect("one channel");
        let (_, made) = resampler
            .process_into_buffer(&input, &mut output, None)
            .expect("the buffers have the sizes that it asks for");
        self.input.clear();
        let late = self.delay.min(made);
        self.delay -= late;
        let output = std::mem::take(&mut self.output);
        let kept = self.keep(&output[late..made]);
        self.output = output;
        kept
    }

    /// Silence pushes the last samples out. As many are kept as fit in the time: one for each begun period.
    pub fn finish(mut self) -> Option<()> {
        if self.resampler.is_none() {
            return Some(());
        }
        let [from, to] = self.rates;
        let all = self.first + (self.taken * to).div_ceil(from) as usize;
        while self.samples.len() < all {
            self.input.resize(self.block, 0.0);
            self.resample()?;
        }
        self.samples.truncate(all);
        Some(())
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
