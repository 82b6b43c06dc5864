//! Finds the lines of places in the source text, by one walk over the YAML events (JSON is YAML here).

use std::collections::BTreeMap;

use serde_saphyr::granit_parser::{Event, Parser};

use super::issue::{Place, Step};

/// The line, from 1, of each place: that of its key or list entry, or of the innermost enclosing value that is in the
/// source. `None` for the whole file and where the source cannot be walked so far.
pub(super) fn lines(source: &str, places: &[&Place]) -> Vec<Option<usize>> {
    let mut sought = Sought::default();
    let ends: Vec<usize> = places.iter().map(|place| sought.insert(place)).collect();
    sought.walk(source);
    ends.into_iter().map(|node| sought.line(node)).collect()
}

/// The places sought as a tree; node 0 is the whole file.
struct Sought {
    nodes: Vec<Node>,
}

#[derive(Default)]
struct Node {
    parent: Option<usize>,
    keys: BTreeMap<String, usize>,
    items: BTreeMap<usize, usize>,
    line: Option<usize>,
}

/// An open collection of the walk: the node it stands for, if sought.
enum Open {
    List {
        node: Option<usize>,
        next: usize,
    },
    /// `value` is `Some` when the next event is the value of a key: the key's node, if sought.
    Map {
        node: Option<usize>,
        value: Option<Option<usize>>,
    },
}

impl Default for Sought {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
        }
    }
}

impl Sought {
    /// Adds a place; returns the node that stands for it.
    fn insert(&mut self, place: &Place) -> usize {
        let mut current = 0;
        for step in place {
            let fresh = self.nodes.len();
            let Some(node) = self.nodes.get_mut(current) else {
                return 0;
            };
            let next = match step {
                Step::Key(key) => *node.keys.entry(key.clone()).or_insert(fresh),
                Step::Item(index, _) => *node.items.entry(*index).or_insert(fresh),
            };
            if next == fresh {
                self.nodes.push(Node {
                    parent: Some(current),
                    ..Node::default()
                });
            }
            current = next;
        }
        current
    }

    /// The line of a node or of its innermost ancestor that has one.
    fn line(&self, node: usize) -> Option<usize> {
        let node = self.nodes.get(node)?;
        node.line.or_else(|| self.line(node.parent?))
    }

    fn walk(&mut self, source: &str) {
        let mut open: Vec<Open> = Vec::new();
        // What cannot be parsed further has no lines; the parser's own error is reported by the reader.
        for (event, span) in Parser::new_from_str(source).map_while(Result::ok) {
            let line = span.start.line();
            match event {
                Event::SequenceStart(..) => {
                    let node = self.enter(&mut open, None, line);
                    open.push(Open::List { node, next: 0 });
                }
                Event::MappingStart(..) => {
                    let node = self.enter(&mut open, None, line);
                    open.push(Open::Map { node, value: None });
                }
                Event::Scalar(text, ..) => {
                    self.enter(&mut open, Some(&text), line);
                }
                Event::Alias(_) => {
                    self.enter(&mut open, None, line);
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    open.pop();
                }
                _ => {}
            }
        }
    }

    /// Takes note of a node of the source that begins on `line`; returns the sought node that it is, if any.
    fn enter(&mut self, open: &mut [Open], scalar: Option<&str>, line: usize) -> Option<usize> {
        match open.last_mut() {
            None => Some(0),
            Some(Open::List { node, next }) => {
                let item = node.and_then(|node| self.nodes.get(node)?.items.get(next).copied());
                *next += 1;
                self.mark(item, line)
            }
            Some(Open::Map { node, value }) => match value.take() {
                Some(sought) => sought,
                None => {
                    let key = node
                        .zip(scalar)
                        .and_then(|(node, key)| self.nodes.get(node)?.keys.get(key).copied());
                    *value = Some(self.mark(key, line));
                    None
                }
            },
        }
    }

    fn mark(&mut self, node: Option<usize>, line: usize) -> Option<usize> {
        if let Some(found) = node.and_then(|node| self.nodes.get_mut(node)) {
            found.line.get_or_insert(line);
        }
        node
    }
}
