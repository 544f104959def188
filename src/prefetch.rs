//! Asks the processor to fetch a cache line that will be read soon. A hint: it changes no result and cannot fault.
//!
//! Memory misses overlap only when they are asked for ahead of use (a batch of packets costs a quarter of what they
//! cost one at a time). This module must never read or write the memory it names.

/// Fetch the line that holds `bytes[at]`; past the end nothing happens.
#[inline(always)]
pub fn byte(bytes: &[u8], at: usize) {
    if let Some(byte) = bytes.get(at) {
        line(byte);
    }
}

/// Fetch the line that holds the start of `value`.
#[inline(always)]
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
pub fn line<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "the only prefetch in stable Rust is the intrinsic")]
    // SAFETY: `_mm_prefetch` is a hint that performs no access and cannot fault, and the address comes from a
    // reference; SSE, which it needs, is part of the x86-64 baseline.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast::<i8>());
    }
}

/// Fetch all the lines of `value`.
#[inline(always)]
pub fn lines<T>(value: &T) {
    lines_at(std::slice::from_ref(value), 0);
}

/// Fetch all the lines of `table[at]`. What would lie past the end may be asked for: nothing happens to it.
#[inline(always)]
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
pub fn lines_at<T>(table: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "the only prefetch in stable Rust is the intrinsic")]
    // SAFETY: as in `line`, whatever the address: it is reckoned without a claim to lie in the table.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let start = table.as_ptr().wrapping_add(at).cast::<i8>();
        let mut line = 0;
        while line < size_of::<T>() {
            _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(line));
            line += 64;
        }
    }
}
