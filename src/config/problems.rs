//! Collects the problems of all settings, so that one start reports all of them.

use std::error::Error;
use std::fmt;
use std::ops::RangeInclusive;

/// The problems of the settings. Each is a sentence that begins with the name of a variable and never contains its
/// value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Adds a problem.
    pub fn add(&mut self, problem: impl Into<String>) {
        self.0.push(problem.into());
    }

    /// Returns the problems that were added.
    pub fn list(&self) -> &[String] {
        &self.0
    }

    /// Returns the value, or adds the error as a problem.
    pub fn ok<T>(&mut self, result: anyhow::Result<T>) -> Option<T> {
        result.map_err(|error| self.add(format!("{error:#}"))).ok()
    }

    /// Returns the value, and adds a problem if it is out of bounds.
    pub fn within<T: PartialOrd + fmt::Display>(
        &mut self,
        name: &str,
        value: T,
        bounds: RangeInclusive<T>,
    ) -> T {
        if !bounds.contains(&value) {
            self.add(format!("{name} must be between {} and {}", bounds.start(), bounds.end()));
        }
        value
    }

    /// Returns the number as a length, and adds a problem if it is out of bounds.
    pub fn count(&mut self, name: &str, value: u64, bounds: RangeInclusive<u64>) -> usize {
        let value = self.within(name, value, bounds);
        usize::try_from(value).unwrap_or_else(|_| {
            self.add(format!("{name} is too large for this machine"));
            usize::MAX
        })
    }

    /// Returns the settings that were read. They may be `None` only if there is a problem.
    ///
    /// # Errors
    /// All problems.
    pub fn finish<T>(self, settings: Option<T>) -> Result<T, Self> {
        match settings {
            Some(settings) if self.0.is_empty() => Ok(settings),
            _ => Err(self),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [problem] => f.write_str(problem),
            problems => {
                write!(f, "{} settings are wrong", problems.len())?;
                problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

impl Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_reported_at_once() {
        let mut problems = Problems::default();
        assert_eq!(problems.within("REGISTRY_POOL", 6, 1..=200), 6);
        assert_eq!(problems.clone().finish(Some(1)), Ok(1));
        problems.within("REGISTRY_POOL", 0, 1..=200);
        assert_eq!(
            problems.clone().finish(Some(1)).unwrap_err().to_string(),
            "REGISTRY_POOL must be between 1 and 200"
        );
        assert_eq!(problems.ok::<()>(Err(anyhow::anyhow!("cause").context("DATABASE_URL"))), None);
        assert_eq!(
            problems.finish(None::<()>).unwrap_err().to_string(),
            "2 settings are wrong\n  REGISTRY_POOL must be between 1 and 200\n  DATABASE_URL: cause"
        );
    }
}
