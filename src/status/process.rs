//! Reads what the kernel reports about this process.

/// Resident memory in bytes; `None` if the kernel does not report it.
pub fn resident_bytes() -> Option<u64> {
    resident_of(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn resident_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read() {
        assert_eq!(resident_of("Name:\tx\nVmRSS:\t    5120 kB\nThreads:\t9\n"), Some(5 << 20));
        assert_eq!(resident_of("Name:\tx\n"), None);
    }
}
