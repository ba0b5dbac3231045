//! CPU time and memory of processes, from `/proc`. Systems without it leave these values out of the table.

use std::fs;
use std::time::Instant;

/// A process, by its id.
#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

/// The unit of CPU time in `/proc` on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

impl Process {
    /// Returns the CPU seconds of the process and its children, including those that ended.
    pub fn cpu_seconds(self) -> Option<f64> {
        let own = Stat::of(self.0)?;
        let children: u64 =
            processes().filter_map(Stat::of).filter(|stat| stat.parent == self.0).map(|s| s.ticks).sum();
        Some((own.ticks + own.ticks_of_ended_children + children) as f64 / TICKS_PER_SECOND)
    }

    /// Returns the peak memory in bytes.
    pub fn peak_memory(self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1_024)
    }
}

/// Measures the CPU time of the registry, of PostgreSQL and of everything else on the machine.
pub struct Meter {
    processes: [Process; 2],
    began: Instant,
    before: Option<CpuSeconds>,
}

/// CPU seconds since the start of each process.
#[derive(Clone, Copy)]
struct CpuSeconds {
    registry: f64,
    postgres: f64,
    load: f64,
    machine: f64,
}

impl Meter {
    /// Starts measuring.
    pub fn start(registry: Process, postmaster: Process) -> Self {
        let processes = [registry, postmaster];
        Self { processes, began: Instant::now(), before: CpuSeconds::read(processes) }
    }

    /// Describes the CPU time per answer, and other processes if they took more than a tenth of a core.
    pub fn read(self, answers: usize) -> String {
        let (Some(before), Some(now)) = (self.before, CpuSeconds::read(self.processes)) else {
            return String::new();
        };
        let spent = |of: fn(&CpuSeconds) -> f64| of(&now) - of(&before);
        let per_answer = |seconds: f64| seconds * 1e6 / answers.max(1) as f64;
        let (registry, postgres) = (spent(|cpu| cpu.registry), spent(|cpu| cpu.postgres));
        let benchmark = registry + postgres + spent(|cpu| cpu.load);
        let others = (spent(|cpu| cpu.machine) - benchmark) / self.began.elapsed().as_secs_f64();
        let mention = if others > 0.1 { format!(", others {others:.1} cores") } else { String::new() };
        format!(", CPU {:.0} + {:.0} µs{mention}", per_answer(registry), per_answer(postgres))
    }
}

impl CpuSeconds {
    fn read([registry, postmaster]: [Process; 2]) -> Option<Self> {
        Some(Self {
            registry: registry.cpu_seconds()?,
            postgres: postmaster.cpu_seconds()?,
            // Without children: the registry is counted above, and pgbench does not run at the same time.
            load: Stat::of(std::process::id())?.ticks as f64 / TICKS_PER_SECOND,
            machine: busy_ticks()? as f64 / TICKS_PER_SECOND,
        })
    }
}

/// Returns the busy ticks of all cores: user, nice, system and interrupts, without idle, iowait and steal.
fn busy_ticks() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line.split_whitespace().map_while(|field| field.parse().ok()).collect();
    Some([0, 1, 2, 5, 6].iter().filter_map(|&at| ticks.get(at)).sum())
}

struct Stat {
    parent: u32,
    ticks: u64,
    ticks_of_ended_children: u64,
}

impl Stat {
    fn of(id: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The program's name in parentheses may contain blanks and parentheses.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self {
            parent: u32::try_from(field(1)?).ok()?,
            ticks: field(11)? + field(12)?,
            ticks_of_ended_children: field(13)? + field(14)?,
        })
    }
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}
