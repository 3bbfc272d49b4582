//! How much memory is free: what would not fit is refused before it is begun.

/// More memory than is free.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "this would need about {needed:.1} GiB of memory, and {free:.1} GiB are free: make {smaller} smaller"
)]
pub struct TooMuchMemory {
    /// GiB that it would take.
    pub needed: f64,
    /// GiB that are free.
    pub free: f64,
    /// What to make smaller.
    pub smaller: &'static str,
}

/// Refuses what would need more bytes than are free, on the machine and within the limit of this process (`ulimit -v`),
/// where the system tells; `smaller` names what to change.
///
/// # Errors
/// If so.
pub fn check_memory(bytes: f64, smaller: &'static str) -> Result<(), TooMuchMemory> {
    const GIB: f64 = (1 << 30) as f64;
    let refused = |free| TooMuchMemory { needed: bytes / GIB, free: free / GIB, smaller };
    match free() {
        Some(free) if bytes > free => Err(refused(free)),
        _ => Ok(()),
    }
}

/// The bytes that this process may still take.
fn free() -> Option<f64> {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let machine = kibibytes(&read("/proc/meminfo"), "MemAvailable:");
    let limit = address_space(&read("/proc/self/limits")).and_then(|limit| {
        Some((limit - kibibytes(&read("/proc/self/status"), "VmSize:")?).max(0.0))
    });
    match (machine, limit) {
        (Some(machine), Some(limit)) => Some(machine.min(limit)),
        (machine, limit) => machine.or(limit),
    }
}

/// A line such as `MemAvailable:   22016124 kB`, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(1024.0 * line.trim().strip_suffix(" kB")?.parse::<f64>().ok()?)
}

/// The soft limit of a line such as `Max address space   1073741824   unlimited   bytes`; none where there is no limit.
fn address_space(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells_is_understood() {
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax address space         1073741824           unlimited            bytes\n";
        assert_eq!(address_space(limits), Some(1073741824.0));
        assert_eq!(address_space(&limits.replace("1073741824", "unlimited")), None);
        assert_eq!(kibibytes("VmPeak:\t 9 kB\nVmSize:\t    2048 kB\n", "VmSize:"), Some(2097152.0));
        assert!(check_memory(1e18, "it").is_err());
        assert!(check_memory(1e5, "it").is_ok());
    }
}
