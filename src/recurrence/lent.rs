//! The kernels' results as a tensor's bytes, without a copy. When the tensor is dropped, the kernels reuse the memory.

use crate::kernel::{Buffer, Element};
use burn_std::{AccessError, AccessPolicy, AllocationController, AllocationProperty, Bytes};
use std::mem::MaybeUninit;
use std::slice;

#[derive(Debug)]
struct Lent<E: Element>(Buffer<E>);

impl<E: Element> AllocationController for Lent<E> {
    fn alloc_align(&self) -> usize {
        align_of::<E>()
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Native
    }

    unsafe fn memory_mut(
        &mut self,
        _: AccessPolicy,
    ) -> Result<&mut [MaybeUninit<u8>], AccessError> {
        let numbers: &mut [E] = &mut self.0;
        // SAFETY: the same memory as bytes, and any bytes are a number.
        Ok(unsafe { slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), size_of_val(numbers)) })
    }

    fn memory(&self, _: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
        let numbers: &[E] = &self.0;
        // SAFETY: the same memory as bytes.
        Ok(unsafe { slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) })
    }
}

/// The numbers as bytes.
pub(super) fn bytes<E: Element>(numbers: Buffer<E>) -> Bytes {
    let len = size_of_val(&*numbers);
    // SAFETY: the controller has that many bytes, and the kernels' memory is always initialised.
    unsafe { Bytes::from_controller(Box::new(Lent(numbers.handed_out())), len) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensors_bytes_are_the_numbers_and_their_own() {
        let mut numbers = Buffer::<f32>::zeros(5);
        numbers.copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        let place = numbers.as_ptr().cast::<u8>();
        let mut lent = bytes(numbers);
        assert_eq!((lent.as_ptr(), lent.len()), (place, 20));
        // A copy has its own memory, and a write to one does not change the other.
        let copy = lent.clone();
        lent[..4].copy_from_slice(&7f32.to_ne_bytes());
        assert_eq!(copy[..4], 1f32.to_ne_bytes());
        assert_eq!(lent[4..], copy[4..]);
        // It cannot become a vector, because the kernels get it back.
        assert!(lent.try_into_vec::<f32>().is_err());
    }
}
