//! Whether the leaves of a certificate leave nothing out.

use super::Finding;
use crate::plan::{Branch, Leaf};

/// Checks that the leaves are those of a full binary tree, every inner node of which splits a sum into `≤ m` and `≥ m + 1`.
pub(super) fn check(leaves: &[Leaf]) -> Result<(), Vec<Finding>> {
    if leaves.is_empty() {
        return Err(vec![Finding::new(
            "certificate.leaves",
            "there is none, so nothing is proven",
        )]);
    }
    // Subtrees to look at: their leaves, and how many decisions lead to them.
    let mut subtrees: Vec<(Vec<&Leaf>, usize)> = vec![(leaves.iter().collect(), 0)];
    while let Some((subtree, depth)) = subtrees.pop() {
        if let [leaf] = subtree.as_slice()
            && leaf.branches.len() == depth
        {
            continue;
        }
        let (below, above) = split(&subtree, depth)?;
        subtrees.push((below, depth + 1));
        subtrees.push((above, depth + 1));
    }
    Ok(())
}

/// The leaves on either side of the decision at a depth.
fn split<'a>(
    subtree: &[&'a Leaf],
    depth: usize,
) -> Result<(Vec<&'a Leaf>, Vec<&'a Leaf>), Vec<Finding>> {
    let refuse = |message: String| Err(vec![Finding::new("certificate.leaves.branches", message)]);
    let first = subtree.iter().find_map(|leaf| leaf.branches.get(depth));
    let Some((on, number)) = first.and_then(|branch| Some((&branch.on, most_below(branch)?)))
    else {
        return refuse(format!(
            "{} leaves have the same {depth} decisions",
            subtree.len()
        ));
    };
    let (mut below, mut above) = (Vec::new(), Vec::new());
    for leaf in subtree {
        match leaf.branches.get(depth) {
            Some(branch) if branch.on == *on && most_below(branch) == Some(number) => {
                if branch.at_most.is_some() {
                    below.push(*leaf)
                } else {
                    above.push(*leaf)
                }
            }
            _ => {
                return refuse(format!(
                    "decision {} is not on {on} at {number} in every leaf of its subtree",
                    depth + 1
                ));
            }
        }
    }
    if below.is_empty() || above.is_empty() {
        return refuse(format!(
            "decision {} on {on} at {number} has one side only",
            depth + 1
        ));
    }
    Ok((below, above))
}

/// The m of a decision `≤ m` or `≥ m + 1`; `None` when it is neither, or both.
fn most_below(branch: &Branch) -> Option<u32> {
    match (branch.at_most, branch.at_least) {
        (Some(most), None) => Some(most),
        (None, Some(least)) => least.checked_sub(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn leaf(decisions: &[(&str, Option<u32>, Option<u32>)]) -> Leaf {
        let branch = |(on, at_most, at_least): &(&str, Option<u32>, Option<u32>)| Branch {
            on: (*on).to_owned(),
            at_most: *at_most,
            at_least: *at_least,
        };
        Leaf {
            branches: decisions.iter().map(branch).collect(),
            duals: BTreeMap::new(),
        }
    }

    #[test]
    fn full_trees_pass_in_any_order_of_leaves() {
        assert!(check(&[leaf(&[])]).is_ok());
        let (a, b) = (
            leaf(&[("nodes", Some(3), None)]),
            leaf(&[("nodes", None, Some(4)), ("replicas/x/y", Some(0), None)]),
        );
        let c = leaf(&[("nodes", None, Some(4)), ("replicas/x/y", None, Some(1))]);
        assert!(check(&[c.clone(), a.clone(), b.clone()]).is_ok());
        assert!(check(&[a, b, c]).is_ok());
    }

    #[test]
    fn holes_overlaps_and_repeats_are_refused() {
        let below = |n| leaf(&[("nodes", Some(n), None)]);
        let above = |n| leaf(&[("nodes", None, Some(n))]);
        assert!(check(&[]).is_err(), "no leaf");
        assert!(check(&[below(3)]).is_err(), "one side");
        assert!(check(&[below(3), above(5)]).is_err(), "a hole");
        assert!(check(&[below(3), above(3)]).is_err(), "an overlap");
        assert!(
            check(&[below(3), above(4), above(4)]).is_err(),
            "a leaf twice"
        );
        assert!(check(&[leaf(&[]), leaf(&[])]).is_err(), "the root twice");
        assert!(
            check(&[
                below(3),
                leaf(&[("nodes", None, Some(4)), ("nodes", Some(6), None)])
            ])
            .is_err(),
            "a hole below"
        );
        assert!(
            check(&[below(3), leaf(&[("replicas/x/y", None, Some(4))])]).is_err(),
            "different sums"
        );
        assert!(
            check(&[below(u32::MAX), above(0)]).is_err(),
            "no number above"
        );
        assert!(
            check(&[leaf(&[("nodes", Some(3), Some(4))]), above(4)]).is_err(),
            "both sides at once"
        );
    }
}
