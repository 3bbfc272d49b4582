//! How much memory is free: what would not fit is refused before it is begun.

/// More memory than is free.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "this would need about {needed:.0} GiB of memory, and {free:.0} GiB are free: make {smaller} smaller"
)]
pub struct TooMuchMemory {
    /// GiB that it would take.
    pub needed: f64,
    /// GiB that are free.
    pub free: f64,
    /// What to make smaller.
    pub smaller: &'static str,
}

/// Refuses what would need more bytes than the machine has free, where it tells; `smaller` names what to change.
///
/// # Errors
/// If so.
pub fn check_memory(bytes: f64, smaller: &'static str) -> Result<(), TooMuchMemory> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    match kibibytes {
        Some(free) if bytes > free * 1024.0 => Err(TooMuchMemory {
            needed: bytes / 1024f64.powi(3),
            free: free / 1024f64.powi(2),
            smaller,
        }),
        _ => Ok(()),
    }
}
