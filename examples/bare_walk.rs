//! The manual path without autodiff: a forward walk that remembers, and the gradient at every time step.
use bptt::nn::LstmConfig;
use burn::tensor::{Device, Distribution, Tensor};

pub fn main() {
    let device = Device::default();
    device.seed(1);
    let (batch, time, features, hidden) = (2, 12, 3, 8);
    let lstm = LstmConfig::new(features, hidden, true).init(&device);
    let x = Tensor::<3>::random([batch, time, features], Distribution::Default, &device);

    // Forward over t = 1…T. The loss is the sum of the last hidden state.
    let trace = lstm.trace(x, None);
    let last = trace.output().slice([0..batch, time - 1..time]);
    println!("loss {}", last.clone().sum());
    let nothing = Tensor::zeros([batch, time - 1, hidden], &device);
    let d_output = Tensor::cat(vec![nothing, last.ones_like()], 1);

    // Backward over t = T…1: the gradient of the output and that of the next step meet at each t.
    let gradients = trace.backward(d_output, None);
    let norm = |gradient: &Tensor<3>, t: usize| -> f64 {
        let step = gradient.clone().slice([0..batch, t..t + 1]);
        step.powi_scalar(2).sum().into_scalar::<f64>().sqrt()
    };
    for t in (0..time).rev() {
        let [d_hidden, d_cell] =
            [&gradients.hidden[0], &gradients.others[0][0]].map(|d| norm(d, t));
        println!("t = {:2}: |dL/dh_t| = {d_hidden:.2e}, |dL/dc_t| = {d_cell:.2e}", t + 1);
    }
    let d_w_h = gradients.weights[0].w_h.as_ref().expect("an LSTM has W_h");
    assert_eq!(d_w_h.dims(), [hidden, 4 * hidden]);
}
