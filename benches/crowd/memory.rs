//! The resident memory of another process, as the kernel counts it.

use std::fs;

/// Of one process, from a moment on.
pub struct Memory {
    process: u32,
    /// What was resident at that moment, in bytes.
    pub base: u64,
}

impl Memory {
    /// Begins to look: the most so far is forgotten.
    pub fn of(process: u32) -> Self {
        fs::write(format!("/proc/{process}/clear_refs"), "5").expect("a process of our own");
        let mut memory = Self { process, base: 0 };
        memory.base = memory.now();
        memory
    }

    /// Resident now, in bytes.
    pub fn now(&self) -> u64 {
        self.field("VmRSS:")
    }

    /// The most that was resident since, in bytes.
    pub fn most(&self) -> u64 {
        self.field("VmHWM:")
    }

    fn field(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process)).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line
            .and_then(|line| line.split_whitespace().next())
            .and_then(|number| number.parse::<u64>().ok());
        kib.expect("a number of KiB") * 1024
    }
}
