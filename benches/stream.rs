//! Does a stream of any length train in the same memory?
//!
//! `cargo bench --bench stream` trains an LSTM on a stream of 10 million steps, one optimizer step a window
//! of 64, the state carried over the border and the gradient not, and prints the most memory held after 1
//! and after 10 million steps. The task: say now which bit was seen 3 steps ago.

use bptt::backend::Backend;
use bptt::nn::{LstmConfig, Random, Readout};
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{DType, Tensor, TensorData};
use peak_alloc::PeakAlloc;
use rand::{RngExt, SeedableRng};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const STEPS: usize = 10_000_000;
const WINDOW: usize = 64;
const ROWS: usize = 16;
const DELAY: usize = 3;

#[derive(Module, Debug)]
struct Model {
    lstm: bptt::nn::Lstm,
    readout: Readout,
}

fn main() {
    let backend = Backend::default();
    let device = backend.device().expect("available").autodiff();
    let options = || (&device, DType::F32);
    let mut random = Random::seed_from_u64(1);
    let lstm = LstmConfig::new(1, 32, true).init_with(options(), &mut random);
    let readout = Readout::new(32, 1, options(), &mut random);
    let mut model = Model { lstm, readout };
    let mut optimizer = AdamConfig::new().init();
    let mut past = vec![[0.0f32; DELAY]; ROWS];
    let (mut state, mut loss_sum, mut windows) = (None, 0.0, 0);
    let (mut done, mut report) = (0, 100_000);
    println!("{backend}, {ROWS} rows of a stream, windows of {WINDOW} steps, 32 hidden units\n");
    println!("{:>10} {:>12} {:>10}", "steps", "mean loss", "peak MiB");
    while done < STEPS {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for past in &mut past {
            for _ in 0..WINDOW {
                let bit = f32::from(random.random::<bool>());
                x.push(bit);
                y.push(past[0]);
                past.rotate_left(1);
                past[DELAY - 1] = bit;
            }
        }
        let tensor = |values: Vec<f32>| {
            Tensor::<3>::from_data(TensorData::new(values, [ROWS, WINDOW, 1]), options())
        };
        let (hidden, last) = model.lstm.forward(tensor(x), state.take());
        let loss = (model.readout.forward(hidden) - tensor(y)).powi_scalar(2).mean();
        loss_sum += loss.clone().into_scalar::<f32>();
        windows += 1;
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(0.003, model, gradients);
        state = Some(last.map(Tensor::detach));
        done += ROWS * WINDOW;
        if done >= report {
            let peak = MEMORY.peak_usage() as f64 / f64::from(1 << 20);
            println!("{done:>10} {:>12.6} {peak:>10.3}", loss_sum / windows as f32);
            (loss_sum, windows) = (0.0, 0);
            report *= 10;
        }
    }
}
