//! Backends whose tensors are in the host's memory, where the kernels read and write them.

#[cfg(feature = "flex")]
use super::lent;
use crate::kernel::{self, Buffer};
use burn::backend::tensor::{Device, FloatTensor};
use burn::backend::{Autodiff, Backend, Dispatch};
#[cfg(feature = "flex")]
use burn::tensor::DType;
use burn::tensor::{Element, TensorData};
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
#[cfg(feature = "flex")]
use burn_flex::{Flex, FlexTensor};
#[cfg(feature = "ndarray")]
use burn_ndarray::{NdArray, NdArrayTensor};
use std::borrow::Cow;
use std::ops::{Deref, DerefMut};

/// Where a result is written.
#[derive(Debug)]
pub(crate) enum Room<E: kernel::Element> {
    /// Memory from the system.
    Burn(Vec<E>),
    /// A buffer of the kernels, which they reuse when the tensor is dropped.
    #[cfg_attr(not(feature = "flex"), allow(dead_code))]
    Kernel(Buffer<E>),
}

impl<E: kernel::Element> Deref for Room<E> {
    type Target = [E];
    fn deref(&self) -> &[E] {
        match self {
            Self::Burn(numbers) => numbers,
            Self::Kernel(numbers) => numbers,
        }
    }
}

impl<E: kernel::Element> DerefMut for Room<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        match self {
            Self::Burn(numbers) => numbers,
            Self::Kernel(numbers) => numbers,
        }
    }
}

/// A backend that may give access to a tensor's numbers as a slice.
pub(crate) trait HostMemory: Backend {
    /// The numbers of an `f32` tensor in row-major order, copied only if the tensor has another layout.
    /// `None` if the backend has no such memory or the tensor another type.
    fn single(_tensor: &FloatTensor<Self>) -> Option<Cow<'_, [f32]>> {
        None
    }

    /// The numbers of an `f64` tensor likewise.
    fn double(_tensor: &FloatTensor<Self>) -> Option<Cow<'_, [f64]>> {
        None
    }

    /// The numbers of an `f32` tensor to write over, if they are in row-major order and no other tensor shares them.
    fn single_mut(_tensor: &mut FloatTensor<Self>) -> Option<&mut [f32]> {
        None
    }

    /// The numbers of an `f64` tensor likewise.
    fn double_mut(_tensor: &mut FloatTensor<Self>) -> Option<&mut [f64]> {
        None
    }

    /// Memory for a matrix of that many numbers.
    fn room<E: kernel::Element>(numbers: usize) -> Room<E> {
        Room::Burn(vec![E::default(); numbers])
    }

    /// The matrix of numbers in the kernels' memory, without a copy if the backend can.
    fn lent<E: kernel::Element + Element>(
        numbers: Buffer<E>,
        shape: [usize; 2],
        device: &Device<Self>,
    ) -> FloatTensor<Self> {
        Self::float_from_data(TensorData::new(numbers.to_vec(), shape), device)
    }
}

/// The matrix of the numbers in that memory.
pub(super) fn matrix_of<E: kernel::Element + Element, B: HostMemory>(
    numbers: Room<E>,
    shape: [usize; 2],
    device: &Device<B>,
) -> FloatTensor<B> {
    match numbers {
        Room::Burn(numbers) => B::float_from_data(TensorData::new(numbers, shape), device),
        Room::Kernel(numbers) => B::lent(numbers, shape, device),
    }
}

impl HostMemory for Dispatch {}
impl<B: Backend, K: CheckpointStrategy> HostMemory for Autodiff<B, K> {}

/// The numbers without a copy if they are in row-major order, otherwise a copy.
fn lying<'a, E: Clone>(slice: Option<&'a [E]>, copy: impl FnOnce() -> Vec<E>) -> Cow<'a, [E]> {
    slice.map_or_else(|| Cow::Owned(copy()), Cow::Borrowed)
}

#[cfg(feature = "ndarray")]
impl HostMemory for NdArray {
    fn single(tensor: &FloatTensor<Self>) -> Option<Cow<'_, [f32]>> {
        let NdArrayTensor::F32(storage) = tensor else { return None };
        let view = storage.view();
        Some(lying(view.to_slice(), || view.iter().copied().collect()))
    }

    fn double(tensor: &FloatTensor<Self>) -> Option<Cow<'_, [f64]>> {
        let NdArrayTensor::F64(storage) = tensor else { return None };
        let view = storage.view();
        Some(lying(view.to_slice(), || view.iter().copied().collect()))
    }

    fn single_mut(tensor: &mut FloatTensor<Self>) -> Option<&mut [f32]> {
        let NdArrayTensor::F32(storage) = tensor else { return None };
        if storage.is_unique() { storage.ensure_owned().as_slice_mut() } else { None }
    }

    fn double_mut(tensor: &mut FloatTensor<Self>) -> Option<&mut [f64]> {
        let NdArrayTensor::F64(storage) = tensor else { return None };
        if storage.is_unique() { storage.ensure_owned().as_slice_mut() } else { None }
    }
}

#[cfg(feature = "flex")]
impl HostMemory for Flex {
    fn single(tensor: &FloatTensor<Self>) -> Option<Cow<'_, [f32]>> {
        let given = tensor.dtype() == DType::F32;
        given.then(|| {
            lying(tensor.as_slice(), || {
                tensor.to_contiguous().as_slice().expect("contiguous").to_vec()
            })
        })
    }

    fn double(tensor: &FloatTensor<Self>) -> Option<Cow<'_, [f64]>> {
        let given = tensor.dtype() == DType::F64;
        given.then(|| {
            lying(tensor.as_slice(), || {
                tensor.to_contiguous().as_slice().expect("contiguous").to_vec()
            })
        })
    }

    fn single_mut(tensor: &mut FloatTensor<Self>) -> Option<&mut [f32]> {
        let given = tensor.dtype() == DType::F32 && whole(tensor);
        if given { tensor.try_storage_mut() } else { None }
    }

    fn double_mut(tensor: &mut FloatTensor<Self>) -> Option<&mut [f64]> {
        let given = tensor.dtype() == DType::F64 && whole(tensor);
        if given { tensor.try_storage_mut() } else { None }
    }

    fn room<E: kernel::Element>(numbers: usize) -> Room<E> {
        Room::Kernel(Buffer::stale(numbers))
    }

    fn lent<E: kernel::Element + Element>(
        numbers: Buffer<E>,
        shape: [usize; 2],
        _device: &Device<Self>,
    ) -> FloatTensor<Self> {
        let data = TensorData::from_bytes(lent::bytes(numbers), shape, E::dtype());
        FlexTensor::from_data(data)
    }
}

/// Whether a tensor's numbers are in row-major order and fill its memory.
#[cfg(feature = "flex")]
fn whole(tensor: &FlexTensor) -> bool {
    let numbers = tensor.layout().num_elements();
    tensor.is_contiguous()
        && tensor.layout().start_offset() == 0
        && tensor.bytes().len() == numbers * tensor.dtype().size()
}
