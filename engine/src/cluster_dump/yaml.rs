//! A translation as the problem file that a user reads and edits.

use super::Translation;
use crate::problem;

/// The complete problem file: what could not be translated as comments at the top, every assumed value with its reason.
/// Keys at their defaults are left out. Reads back equal to [`Translation::problem`].
pub fn to_yaml(translation: &Translation) -> String {
    let mut head = vec![
        "Made from a cluster's kubectl dump.".to_owned(),
        "Loads are not in a dump: replicas are held until load and capacity are stated or read with --prometheus.".to_owned(),
    ];
    if !translation.untranslated.is_empty() {
        head.extend([String::new(), "Not translated:".to_owned()]);
        let listed = translation.untranslated.iter();
        head.extend(listed.map(|line| format!("- {line}")));
    }
    let head = head.iter().map(String::as_str);
    problem::to_yaml(&translation.problem, head, &translation.comments)
}
