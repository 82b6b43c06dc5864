//! Which pass does what: up the groups and down again.

/// What a pass does to its group while it is in the cache: the mixer of one layer, a phase, the mixer of another layer. Layers are
/// numbers in the order in which they are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(super) before: Option<usize>,
    pub(super) phase: Option<usize>,
    pub(super) after: Option<usize>,
}

/// One pass: a group and the stages on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(super) group: usize,
    pub(super) stages: Vec<Stage>,
}

impl Plan {
    /// The layers that have a part in the pass.
    pub(super) fn layers(&self) -> std::ops::Range<usize> {
        let layers = || {
            let of = |stage: &Stage| [stage.before, stage.phase, stage.after];
            self.stages.iter().flat_map(of).flatten()
        };
        layers().min().unwrap_or(0)..layers().max().map_or(0, |last| last + 1)
    }
}

/// The passes for `depth` layers of phase and mixer, from the low group up and down again, and the last of them.
pub(crate) fn forward(groups: usize, depth: usize) -> (Vec<Plan>, Plan) {
    let mut plans = Vec::new();
    let mut last = Plan {
        group: 0,
        stages: Vec::new(),
    };
    for layer in 0..depth {
        match last.stages.last_mut() {
            // The mixer of the layer before has just ended here.
            Some(stage) if stage.phase.is_none() => {
                (stage.phase, stage.after) = (Some(layer), Some(layer))
            }
            _ => last.stages.push(Stage {
                before: None,
                phase: Some(layer),
                after: Some(layer),
            }),
        }
        for plan in others(groups, last.group, layer) {
            plans.push(std::mem::replace(&mut last, plan));
        }
    }
    (plans, last)
}

/// The passes that carry a layer's mixer from a group at one end to all others.
fn others(groups: usize, group: usize, layer: usize) -> Vec<Plan> {
    let others: Vec<usize> = if group == 0 {
        (1..groups).collect()
    } else {
        (0..groups - 1).rev().collect()
    };
    let stage = Stage {
        before: Some(layer),
        phase: None,
        after: None,
    };
    let plan = |group| Plan {
        group,
        stages: vec![stage],
    };
    others.into_iter().map(plan).collect()
}

/// The passes that undo `depth` layers, from the group on which they ended. Layer 0 is the first to be undone: its mixer, then its
/// phase.
pub(crate) fn backward(groups: usize, depth: usize) -> Vec<Plan> {
    let none = Stage {
        before: None,
        phase: None,
        after: None,
    };
    let mut group = if groups > 1 && depth % 2 == 1 {
        groups - 1
    } else {
        0
    };
    let mut plans = vec![Plan {
        group,
        stages: Vec::new(),
    }];
    for layer in 0..depth {
        let here = plans.len() - 1;
        let begun = plans[here]
            .stages
            .last()
            .is_some_and(|stage| stage.after == Some(layer));
        if !begun {
            plans[here].stages.push(Stage {
                before: Some(layer),
                ..none
            });
        }
        plans.extend(others(groups, group, layer));
        let last = plans.len() - 1;
        group = plans[last].group;
        if let Some(stage) = plans[last].stages.last_mut() {
            // On one group the mixer may have been begun by the stage that ended the layer before.
            if stage.after == Some(layer) {
                plans[last].stages.push(Stage {
                    phase: Some(layer),
                    ..none
                });
            } else {
                stage.phase = Some(layer);
            }
        }
        if layer + 1 < depth
            && let Some(stage) = plans[last].stages.last_mut()
        {
            stage.after = Some(layer + 1);
        }
    }
    plans
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The operations of all passes in order: layer and group of a mixer, layer of a phase.
    fn operations(plans: &[Plan]) -> Vec<(usize, Option<usize>)> {
        let stage = |plan: &Plan, stage: &Stage| {
            let mix = |layer: usize| (layer, Some(plan.group));
            [
                stage.before.map(mix),
                stage.phase.map(|layer| (layer, None)),
                stage.after.map(mix),
            ]
        };
        plans
            .iter()
            .flat_map(|plan| plan.stages.iter().flat_map(move |one| stage(plan, one)))
            .flatten()
            .collect()
    }

    fn all(groups: usize, depth: usize) -> Vec<Plan> {
        let (mut plans, last) = forward(groups, depth);
        plans.push(last);
        plans
    }

    #[test]
    fn every_layer_has_its_phase_and_then_every_group_once() {
        for groups in 1..5 {
            for depth in 0..6 {
                let plans = all(groups, depth);
                assert_eq!(plans.len(), 1 + depth * (groups - 1));
                let mut operations = operations(&plans).into_iter();
                for layer in 0..depth {
                    assert_eq!(operations.next(), Some((layer, None)));
                    let mut mixed: Vec<_> = operations.by_ref().take(groups).collect();
                    mixed.sort_unstable();
                    assert_eq!(
                        mixed,
                        (0..groups)
                            .map(|group| (layer, Some(group)))
                            .collect::<Vec<_>>()
                    );
                }
                assert_eq!(operations.next(), None);
            }
        }
    }

    #[test]
    fn undone_layers_have_every_group_once_and_then_their_phase() {
        for groups in 1..5 {
            for depth in 0..6 {
                let plans = backward(groups, depth);
                assert_eq!(plans.len(), 1 + depth * (groups - 1));
                assert_eq!(plans[0].group, forward(groups, depth).1.group);
                let mut operations = operations(&plans).into_iter();
                for layer in 0..depth {
                    let mut mixed: Vec<_> = operations.by_ref().take(groups).collect();
                    mixed.sort_unstable();
                    assert_eq!(
                        mixed,
                        (0..groups)
                            .map(|group| (layer, Some(group)))
                            .collect::<Vec<_>>()
                    );
                    assert_eq!(operations.next(), Some((layer, None)));
                }
                assert_eq!(operations.next(), None);
            }
        }
    }
}
