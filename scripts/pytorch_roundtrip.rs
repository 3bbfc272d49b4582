//! The Rust side of `pytorch_roundtrip.py`: reads PyTorch's weights, compares our output with
//! PyTorch's, and writes the weights back.
//!
//! Arguments: the file PyTorch wrote, and the file to write.

use bptt::nn::LstmConfig;
use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::SafeTensors;

const PREFIX: &str = "encoder.lstm.";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [original, returned] = arguments.as_slice() else {
        return Err("give the file PyTorch wrote and the file to write".into());
    };
    let device = Device::default();
    let config = LstmConfig::new(5, 7, true).with_layers(2).with_bidirectional(true);
    let lstm = config.init(&device).load_safetensors(original, PREFIX)?;

    let bytes = std::fs::read(format!("{original}.io.safetensors"))?;
    let tensors = SafeTensors::deserialize(&bytes)?;
    let tensor = |name: &str| -> Result<Tensor<3>, safetensors::SafeTensorError> {
        let view = tensors.tensor(name)?;
        let data =
            TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), DType::F32);
        Ok(Tensor::from_data(data, &device))
    };
    let (output, [hidden, cell]) = lstm.forward(tensor("x")?, None);
    for (name, ours) in [("output", output), ("h_n", hidden), ("c_n", cell)] {
        let difference = (ours - tensor(name)?).abs().max().into_scalar::<f32>();
        println!("{:40} {difference:.3e}", format!("{name}, ours against PyTorch's"));
        if difference > 1e-6 {
            return Err(format!("{name} differs").into());
        }
    }
    lstm.save_safetensors(returned, PREFIX)?;
    Ok(())
}
