//! What is wrong with an input file, and where.

use std::fmt;

use serde_json::Value;

/// Most mistakes that one report lists; a file with more says how many there are.
const MAX_ISSUES: usize = 1000;

/// Most known words that are compared with a misspelt one.
const MAX_CANDIDATES: usize = 1000;

/// Most characters of a user's value that a message or a path repeats.
const MAX_SHOWN_CHARS: usize = 80;

/// One mistake in an input file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Where, with list entries addressed by name: `services.shop/cart.clusters.gke-euw1.min`; empty for the whole file.
    pub path: String,
    /// Line in the file, from 1. `None` where there is no file, or the place is not in it.
    pub line: Option<usize>,
    /// What is wrong, naming the value and what was expected: `7 is above max 5`.
    pub message: String,
}

/// All mistakes of one input. Shown one a line as `FILE:LINE: PATH: MESSAGE`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct InputErrors {
    /// The file's name as the user knows it.
    pub file: String,
    /// The mistakes, in the file's order; never empty.
    pub issues: Vec<Issue>,
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

impl fmt::Display for InputErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, issue) in self.issues.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:", self.file)?;
            if let Some(line) = issue.line {
                write!(f, "{line}:")?;
            }
            if !issue.path.is_empty() {
                write!(f, " {}:", issue.path)?;
            }
            write!(f, " {}", issue.message)?;
        }
        Ok(())
    }
}

/// One step from a value of the file to a value inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Into a mapping, by key.
    Key(String),
    /// Into a list, by index; with the entry's name, which is empty where it has none.
    Item(usize, String),
}

/// Steps from the top of the file to a value.
pub(super) type Place = Vec<Step>;

/// The place as the user reads it.
pub(super) fn path_of(place: &[Step]) -> String {
    let mut path = String::new();
    for step in place {
        match step {
            Step::Item(index, name) if name.is_empty() => path.push_str(&format!("[{index}]")),
            Step::Item(_, name) | Step::Key(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&shown(name));
            }
        }
    }
    path
}

/// How a list entry is addressed: by its `name`, an offering by `type/zone/capacity_type`; `None` where it has neither.
pub(crate) fn entry_name(item: &Value) -> Option<String> {
    let text = |key: &str| item.get(key).and_then(Value::as_str);
    text("name").map(str::to_owned).or_else(|| {
        let (kind, zone) = (text("instance_type")?, text("zone")?);
        Some(format!("{kind}/{zone}/{}", text("capacity_type")?))
    })
}

/// A place under construction: a chain of borrowed steps, so that checking a faultless file allocates nothing.
#[derive(Clone, Copy)]
pub(crate) enum At<'a> {
    /// The whole file.
    Top,
    /// A value of a mapping.
    Key(&'a At<'a>, &'a str),
    /// An entry of a list, with its name or an empty string.
    Item(&'a At<'a>, usize, &'a str),
}

impl At<'_> {
    /// The value of `key` in the mapping at this place.
    pub(crate) fn key<'b>(&'b self, key: &'b str) -> At<'b> {
        At::Key(self, key)
    }

    /// An entry without a name in the list at this place.
    pub(crate) fn item(&self, index: usize) -> At<'_> {
        At::Item(self, index, "")
    }

    /// A named entry of the list at this place.
    pub(crate) fn named<'b>(&'b self, index: usize, name: &'b str) -> At<'b> {
        At::Item(self, index, name)
    }

    fn place(&self) -> Place {
        match self {
            At::Top => Place::new(),
            At::Key(parent, key) => {
                let mut place = parent.place();
                place.push(Step::Key((*key).to_owned()));
                place
            }
            At::Item(parent, index, name) => {
                let mut place = parent.place();
                place.push(Step::Item(*index, (*name).to_owned()));
                place
            }
        }
    }
}

/// A mistake whose line is not looked up yet.
#[derive(Clone, Debug)]
pub(super) struct Mistake {
    pub(super) place: Place,
    pub(super) message: String,
}

/// The mistakes found so far: the first [`MAX_ISSUES`], and whether there are more.
#[derive(Debug, Default)]
pub(crate) struct Mistakes {
    kept: Vec<Mistake>,
    more: bool,
}

impl Mistakes {
    /// Adds a mistake at a place.
    pub(crate) fn add(&mut self, at: &At<'_>, message: impl Into<String>) {
        if self.has_room() {
            self.kept.push(Mistake {
                place: at.place(),
                message: message.into(),
            });
        } else {
            self.more = true;
        }
    }

    /// Adds a mistake whose place is known in full.
    pub(super) fn push(&mut self, mistake: Mistake) {
        if self.has_room() {
            self.kept.push(mistake);
        } else {
            self.more = true;
        }
    }

    /// Adds those of another collection.
    pub(super) fn append(&mut self, other: Self) {
        other
            .kept
            .into_iter()
            .for_each(|mistake| self.push(mistake));
        self.more |= other.more;
    }

    /// Takes note that there are more mistakes than are kept.
    pub(super) fn note_more(&mut self) {
        self.more = true;
    }

    /// False once so many are kept that further ones are not.
    pub(super) fn has_room(&self) -> bool {
        self.kept.len() < MAX_ISSUES
    }

    /// As [`suggestion`], but nothing once there is no room for the message.
    pub(super) fn suggestion<'a>(
        &self,
        word: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> String {
        if self.has_room() {
            suggestion(word, known)
        } else {
            String::new()
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty() && !self.more
    }

    /// The mistakes kept.
    pub(super) fn kept(&self) -> &[Mistake] {
        &self.kept
    }

    /// Forgets the kept mistakes that do not fulfil a condition.
    pub(super) fn retain(&mut self, condition: impl Fn(&Mistake) -> bool) {
        self.kept.retain(condition);
    }

    /// As issues, with the lines that `lines` names in the order of [`Mistakes::kept`].
    pub(crate) fn into_issues(self, lines: &[Option<usize>]) -> Vec<Issue> {
        let mut issues: Vec<Issue> = (self.kept.into_iter().enumerate())
            .map(|(index, mistake)| Issue {
                path: path_of(&mistake.place),
                line: lines.get(index).copied().flatten(),
                message: mistake.message,
            })
            .collect();
        issues.sort_by_key(|issue| issue.line.unwrap_or(0));
        if self.more {
            let message = format!("there are more mistakes than the {MAX_ISSUES} told here");
            issues.push(Issue {
                path: String::new(),
                line: None,
                message,
            });
        }
        issues
    }
}

/// The user's text as a message may repeat it: control characters escaped, long text cut.
pub(crate) fn shown(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(MAX_SHOWN_CHARS)
        .flat_map(printable)
        .collect();
    if text.chars().nth(MAX_SHOWN_CHARS).is_some() {
        short.push('…');
    }
    short
}

fn printable(c: char) -> Vec<char> {
    if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
        c.escape_debug().collect()
    } else {
        vec![c]
    }
}

/// Of `known`, the word that `word` was most likely meant to be: at most a third of its letters differ.
fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = word.chars().count();
    let limit = (letters / 3).max(1);
    if letters > MAX_SHOWN_CHARS {
        return None;
    }
    (known.into_iter().take(MAX_CANDIDATES))
        .map(|candidate| (distance_up_to(word, letters, candidate, limit), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= limit)
        .map(|(_, candidate)| candidate)
}

/// The distance of two words regardless of case, 1 where one abbreviates the other; any larger number beyond `limit`.
fn distance_up_to(word: &str, letters: usize, candidate: &str, limit: usize) -> usize {
    if letters >= 3 && candidate.starts_with(word) {
        return 1;
    }
    let other = candidate.chars().take(2 * MAX_SHOWN_CHARS).count();
    if other.abs_diff(letters) > limit {
        return usize::MAX;
    }
    edit_distance(&word.to_lowercase(), &candidate.to_lowercase())
}

/// `; did you mean X?` for the nearest known word, or nothing.
pub(super) fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known)
        .map(|near| format!("; did you mean {}?", shown(near)))
        .unwrap_or_default()
}

/// Optimal string alignment distance (Damerau 1964): letters put in, left out, changed or swapped with a neighbour.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    // Rows of the table for the prefix of `a` two letters, one letter and no letter shorter; the cell before the first
    // column is left out, for it equals the row's number.
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (1..=b.len()).collect();
    let mut last_letter = None;
    for (i, letter) in a.chars().enumerate() {
        let mut row: Vec<usize> = Vec::with_capacity(b.len());
        for (j, other) in b.iter().enumerate() {
            let cell = |row: &[usize], first: usize, back: usize| {
                (j + 1).checked_sub(back + 1).map_or(first, |index| {
                    row.get(index).copied().unwrap_or(usize::MAX / 2)
                })
            };
            let changed = cell(&above, i, 1) + usize::from(letter != *other);
            let left_out = cell(&above, i, 0) + 1;
            let put_in = cell(&row, i + 1, 1) + 1;
            let swapped = match (last_letter, j.checked_sub(1).and_then(|index| b.get(index))) {
                (Some(last), Some(previous)) if last == *other && letter == *previous => {
                    cell(&before, i - 1, 2) + 1
                }
                _ => usize::MAX,
            };
            row.push(changed.min(left_out).min(put_in).min(swapped));
        }
        before = std::mem::replace(&mut above, row);
        last_letter = Some(letter);
    }
    above.last().copied().unwrap_or_else(|| a.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edit_distance_counts_each_kind_of_slip_once() {
        for (a, b, distance) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("gcp", "gcp", 0),
            ("gpc", "gcp", 1),
            ("clsuter", "cluster", 1),
            ("cluste", "cluster", 1),
            ("clusters", "cluster", 1),
            ("bluster", "cluster", 1),
            ("kitten", "sitting", 3),
            ("ab", "ba", 1),
        ] {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
            assert_eq!(edit_distance(b, a), distance, "{b} {a}");
        }
    }

    #[test]
    fn only_a_near_word_is_suggested() {
        let known = ["memory", "cpu", "ephemeral-storage"];
        assert_eq!(suggestion("memroy", known), "; did you mean memory?");
        assert_eq!(suggestion("mem", known), "; did you mean memory?");
        assert_eq!(suggestion("disk", known), "");
        assert_eq!(suggestion(&"x".repeat(10_000), known), "");
    }

    #[test]
    fn shown_text_is_short_and_printable() {
        assert_eq!(shown("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
        assert_eq!(
            shown(&"x".repeat(1000)).chars().count(),
            MAX_SHOWN_CHARS + 1
        );
    }
}
