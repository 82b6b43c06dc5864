//! Reading instances: `.vbp` files, and cloud balancing as JSON.

mod balancing;

use super::{Bin, Instance, Item};

/// Sizes and capacities beyond this are refused, so that sums of them stay exact.
const MOST: i64 = 1 << 50;
/// Items in all: each has its place in the answer.
const MOST_ITEMS: i64 = 1_000_000;
/// Mistakes beyond this many are not listed.
const MAX_FAULTS: usize = 100;

/// Reads an instance.
///
/// A `.vbp` file holds the number of dimensions, the capacity of a bin in each, the number of kinds of items, and for each kind its sizes and how
/// many there are; bins cost 1. A JSON file holds `computerList` (`cpuPower`, `memory`, `networkBandwidth`, `cost`) and `processList`
/// (`requiredCpuPower`, `requiredMemory`, `requiredNetworkBandwidth`); every computer is there once, and its cost is paid when it is used.
///
/// # Errors
///
/// Everything that is wrong with the file, each with its place.
pub fn read(bytes: &[u8]) -> Result<Instance, Vec<String>> {
    let text = std::str::from_utf8(bytes).map_err(|error| vec![format!("is not text: {error}")])?;
    if text.trim_start().starts_with('{') {
        return balancing::read(text);
    }
    let mut reader = Reader {
        tokens: text
            .lines()
            .enumerate()
            .flat_map(|(line, text)| text.split_whitespace().map(move |token| (line + 1, token)))
            .collect(),
        next: 0,
        faults: Vec::new(),
    };
    let instance = reader.instance();
    match instance {
        Some(instance) if reader.faults.is_empty() => Ok(instance),
        _ => Err(reader.faults),
    }
}

struct Reader<'t> {
    tokens: Vec<(usize, &'t str)>,
    next: usize,
    faults: Vec<String>,
}

impl Reader<'_> {
    fn instance(&mut self) -> Option<Instance> {
        let dimensions = self.count("the number of dimensions", 1)?;
        let left = self.tokens.len() - self.next;
        if dimensions > left {
            self.faults.push(format!(
                "line 1: {dimensions} dimensions, but only {left} more numbers in the file"
            ));
            return None;
        }
        let capacity: Vec<i64> = (0..dimensions)
            .filter_map(|k| self.number(&format!("the capacity in dimension {}", k + 1), 0))
            .collect();
        let kinds = self.count("the number of kinds of items", 1)?;
        let (left, line) = (self.tokens.len() - self.next, self.line());
        if kinds.checked_mul(dimensions + 1) != Some(left) {
            self.faults.push(format!(
                "line {line}: {kinds} kinds of items need {} numbers ({dimensions} sizes and how many of it, each), but {left} follow",
                kinds.saturating_mul(dimensions + 1)
            ));
            return None;
        }
        let items: Vec<Item> = (0..kinds)
            .filter_map(|item| self.item(item, dimensions))
            .collect();
        let all: i64 = items.iter().map(|item| i64::from(item.count)).sum();
        if all > MOST_ITEMS {
            return self.fault(format!(
                "{all} items in all; at most {MOST_ITEMS} can be packed"
            ));
        }
        if !self.faults.is_empty() {
            return None;
        }
        let bin = Bin {
            capacity,
            cost: 1,
            count: None,
        };
        Instance::new(vec![bin], items)
    }

    fn item(&mut self, item: usize, dimensions: usize) -> Option<Item> {
        let name = |k: usize| format!("item {item}, size {}", k + 1);
        let size: Vec<i64> = (0..dimensions)
            .filter_map(|k| self.number(&name(k), -MOST))
            .collect();
        let count = self.number(&format!("item {item}, how many"), 1);
        let count = count.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        Some(Item {
            size,
            count: count?,
        })
    }

    fn line(&self) -> usize {
        self.tokens
            .get(self.next.saturating_sub(1))
            .map_or(1, |(line, _)| *line)
    }

    fn count(&mut self, what: &str, least: i64) -> Option<usize> {
        self.number(what, least)
            .and_then(|value| usize::try_from(value).ok())
    }

    fn number(&mut self, what: &str, least: i64) -> Option<i64> {
        let Some(&(line, token)) = self.tokens.get(self.next) else {
            let line = self.line();
            return self.fault(format!(
                "line {line}: the file ends where {what} was expected"
            ));
        };
        self.next += 1;
        match token.parse::<i64>() {
            Ok(value) if (least..=MOST).contains(&value) => Some(value),
            _ => self.fault(format!(
                "line {line}: {what} is `{token}`; expected a whole number from {least} to {MOST}"
            )),
        }
    }

    fn fault<T>(&mut self, fault: String) -> Option<T> {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(fault);
        }
        None
    }
}
