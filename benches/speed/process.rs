//! What the system says about processes, where it has `/proc`; elsewhere nothing, and the table has gaps.

use std::fs;
use std::time::Instant;

/// A process, and what runs below it.
#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

/// The unit of CPU time in `/proc`, on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

impl Process {
    /// Seconds of CPU that it, its children, and those of them that have ended took so far.
    pub fn cpu_seconds(self) -> Option<f64> {
        let own = Stat::of(self.0)?;
        let children: u64 =
            processes().filter_map(Stat::of).filter(|stat| stat.parent == self.0).map(|s| s.ticks).sum();
        Some((own.ticks + own.ticks_of_ended_children + children) as f64 / TICKS_PER_SECOND)
    }

    /// The most memory that it had at once, in bytes.
    pub fn peak_memory(self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1_024)
    }
}

/// What a measurement costs: CPU of the registry and of PostgreSQL, and of whatever else the machine does meanwhile.
pub struct Meter {
    processes: [Process; 2],
    began: Instant,
    before: Option<Taken>,
}

/// Seconds of CPU taken so far.
#[derive(Clone, Copy)]
struct Taken {
    registry: f64,
    postgres: f64,
    load: f64,
    machine: f64,
}

impl Meter {
    /// From now on.
    pub fn start(registry: Process, postmaster: Process) -> Self {
        let processes = [registry, postmaster];
        Self { processes, began: Instant::now(), before: Taken::so_far(processes) }
    }

    /// Until now, for so many answers. Others are mentioned when they took a tenth of a core.
    pub fn read(self, answers: usize) -> String {
        let (Some(before), Some(now)) = (self.before, Taken::so_far(self.processes)) else {
            return String::new();
        };
        let each = |taken: fn(&Taken) -> f64| (taken(&now) - taken(&before)) * 1e6 / answers.max(1) as f64;
        let all = |taken: fn(&Taken) -> f64| taken(&now) - taken(&before);
        let ours = all(|t| t.registry) + all(|t| t.postgres) + all(|t| t.load);
        let others = (all(|t| t.machine) - ours) / self.began.elapsed().as_secs_f64();
        let mention = if others > 0.1 { format!(", others {others:.1} cores") } else { String::new() };
        format!(", CPU {:.0} + {:.0} µs{mention}", each(|t| t.registry), each(|t| t.postgres))
    }
}

impl Taken {
    fn so_far([registry, postmaster]: [Process; 2]) -> Option<Self> {
        Some(Self {
            registry: registry.cpu_seconds()?,
            postgres: postmaster.cpu_seconds()?,
            // Its children are the registry and pgbench, which is not running while the registry is measured.
            load: Stat::of(std::process::id())?.ticks as f64 / TICKS_PER_SECOND,
            machine: busy_ticks()? as f64 / TICKS_PER_SECOND,
        })
    }
}

/// What all processes and the kernel took: user, nice, system, interrupts; not idle, not waiting, not stolen.
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
        // The name in parentheses may contain anything.
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
