use burn::tensor::Tensor;

/// The numbers of a float tensor in f64, in row-major order.
pub fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().convert::<f64>().try_to_vec().expect("a float tensor converts to f64")
}
