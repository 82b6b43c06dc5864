//! The restricted master: patterns that cover the items, as a linear programme for HiGHS.

use std::collections::HashSet;

use highs::{Col, ColProblem, HighsModelStatus, Model, Row, Sense};

use super::{Instance, Pattern};

/// A linear programme over the patterns known so far.
pub(super) struct Master<'a> {
    instance: &'a Instance,
    items: Vec<Row>,
    /// Rows of kinds of bins of which there are so many.
    bins: Vec<Option<Row>>,
    model: Option<Model>,
    pub(super) patterns: Vec<Pattern>,
    columns: Vec<Col>,
    known: HashSet<Pattern>,
}

/// A solution of the linear programme.
#[derive(Clone)]
pub(super) struct Relaxed {
    pub(super) value: f64,
    /// How often each pattern is used.
    pub(super) weights: Vec<f64>,
    pub(super) duals: Duals,
}

/// What an item more costs, and a bin more of a kind saves.
#[derive(Clone)]
pub(super) struct Duals {
    pub(super) items: Vec<f64>,
    /// At most 0.
    pub(super) bins: Vec<f64>,
}

impl<'a> Master<'a> {
    /// Without patterns: every item is left out. `penalty` is the price of leaving one out.
    pub(super) fn new(instance: &'a Instance, penalty: f64) -> Option<Self> {
        let mut problem = ColProblem::new();
        let item_row = |(i, item): (usize, &super::Item)| {
            let count = f64::from(item.count);
            let most = if instance.only_takes_room(i) {
                f64::INFINITY
            } else {
                count
            };
            problem.add_row(count..=most)
        };
        let items: Vec<Row> = instance.items.iter().enumerate().map(item_row).collect();
        let bins = instance
            .bins
            .iter()
            .map(|bin| bin.count.map(|count| problem.add_row(..=f64::from(count))))
            .collect();
        for (row, item) in items.iter().zip(&instance.items) {
            problem.add_column(penalty, 0.0..=f64::from(item.count), [(*row, 1.0)]);
        }
        let mut model = Model::try_new(problem).ok()?;
        model.set_sense(Sense::Minimise);
        // New columns leave the last basis feasible, which is where the primal simplex starts from.
        model.try_set_option("simplex_strategy", 4).ok()?;
        Some(Self {
            instance,
            items,
            bins,
            model: Some(model),
            patterns: Vec::new(),
            columns: Vec::new(),
            known: HashSet::new(),
        })
    }

    /// Adds a pattern; false when it was there or HiGHS refuses it.
    pub(super) fn add(&mut self, pattern: Pattern) -> bool {
        if self.known.contains(&pattern) {
            return false;
        }
        let mut entries: Vec<(Row, f64)> = pattern
            .items
            .iter()
            .map(|(item, count)| (self.items[*item], f64::from(*count)))
            .collect();
        entries.extend(self.bins[pattern.bin].map(|row| (row, 1.0)));
        let Some(model) = &mut self.model else {
            return false;
        };
        let cost = cost_of(self.instance, &pattern);
        let Ok(column) = model.try_add_column(cost, 0.0.., entries) else {
            return false;
        };
        self.known.insert(pattern.clone());
        self.patterns.push(pattern);
        self.columns.push(column);
        true
    }

    /// Bounds how often a pattern is used.
    pub(super) fn bound(&mut self, index: usize, least: f64, most: f64) {
        if let Some(model) = &mut self.model {
            model.change_column_bounds(self.columns[index], least..=most);
        }
    }

    /// Solves the linear programme; `None` when HiGHS fails.
    pub(super) fn relax(&mut self) -> Option<Relaxed> {
        let solved = self.model.take()?.try_solve().ok()?;
        let relaxed = (solved.status() == HighsModelStatus::Optimal).then(|| {
            let solution = solved.get_solution();
            let (columns, rows) = (solution.columns(), solution.dual_rows());
            let dual = |row: usize| rows[row];
            let mut next = self.items.len();
            let mut of_bin = |row: &Option<Row>| {
                row.map_or(0.0, |_| {
                    next += 1;
                    dual(next - 1).min(0.0)
                })
            };
            Relaxed {
                value: solved.objective_value(),
                weights: columns[self.items.len()..].to_vec(),
                duals: Duals {
                    items: (0..self.items.len())
                        .map(|i| {
                            if self.instance.only_takes_room(i) {
                                dual(i).max(0.0)
                            } else {
                                dual(i)
                            }
                        })
                        .collect(),
                    bins: self.bins.iter().map(&mut of_bin).collect(),
                },
            }
        });
        self.model = Some(Model::from(solved));
        relaxed
    }
}

#[allow(clippy::cast_precision_loss)]
pub(super) fn cost_of(instance: &Instance, pattern: &Pattern) -> f64 {
    instance.bins[pattern.bin].cost as f64
}
