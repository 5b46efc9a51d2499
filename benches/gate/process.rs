//! The CPU time of another process, as the kernel counts it.

/// Ticks a second in `/proc`: USER_HZ, which Linux fixes at 100 for every architecture we run on.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time so far of a process and its finished threads, in seconds, to a hundredth.
pub fn cpu_seconds(process: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("a running process");
    // The second field is a name in brackets that may hold anything; counting starts after it.
    let (_, fields) = text.rsplit_once(") ").expect("a name in brackets");
    let ticks = fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(|field| field.parse::<f64>().expect("a count of ticks"));
    ticks.sum::<f64>() / TICKS_PER_SECOND
}
