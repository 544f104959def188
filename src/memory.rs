//! Asks the kernel to back a large table with large pages. A hint: it changes no content, and a kernel that has none to give
//! ignores it.
//!
//! A table of many megabytes that is read at random misses the translation cache on nearly every read with 4 KiB pages. This
//! module must never change what memory holds.

/// Tables below this gain nothing.
#[cfg(target_os = "linux")]
const LEAST_BYTES: usize = 4 * 1024 * 1024;

/// Asks for large pages under the whole capacity of `table`. Call it before the memory is first written.
#[cfg_attr(not(target_os = "linux"), allow(unused_variables))]
pub fn ask_for_large_pages<T>(table: &Vec<T>) {
    #[cfg(target_os = "linux")]
    {
        const PAGE_BYTES: usize = 4096;
        let bytes = table.capacity() * size_of::<T>();
        if bytes < LEAST_BYTES {
            return;
        }
        // Outwards to whole pages: a first page left out would be a mapping of its own to the kernel, and it does not move two mappings
        // at once. A table that grew would be copied.
        let start = table.as_ptr() as usize / PAGE_BYTES * PAGE_BYTES;
        let end = (table.as_ptr() as usize + bytes).next_multiple_of(PAGE_BYTES);
        #[expect(unsafe_code, reason = "the standard library has no madvise")]
        // SAFETY: MADV_HUGEPAGE changes how the kernel backs pages and never what they hold, so it does not matter what else lies in
        // the first and the last page; both hold bytes of one live allocation. A failure is no harm and is ignored.
        unsafe {
            libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_stays() {
        let mut table: Vec<u64> = Vec::with_capacity(1 << 20);
        ask_for_large_pages(&table);
        table.extend(0..1 << 20);
        ask_for_large_pages(&table);
        ask_for_large_pages(&Vec::<u8>::new());
        assert!(table.iter().enumerate().all(|(at, &value)| at as u64 == value));
    }
}
