//! What is refused for its text: syntax, size, nesting, aliases.

use ketscale_engine::problem::{MAX_FILE_BYTES, read};

use crate::example::{EXAMPLE, edited, errors};

#[test]
fn what_is_not_one_yaml_document_is_refused_with_its_line() {
    for (source, line, message) in [
        (String::new(), None, "the file is empty"),
        (" \n\n".to_owned(), None, "the file is empty"),
        (
            "# only a comment\n".to_owned(),
            None,
            "is empty; expected a mapping",
        ),
        (
            "just text".to_owned(),
            None,
            "\"just text\" is not a mapping",
        ),
        ("[1, 2]".to_owned(), None, "a list is not a mapping"),
        (
            edited("name: boutique", "name: b\nname: c"),
            Some(4),
            "the key `name` stands twice",
        ),
        (
            edited("{rps: 410}", "{rps: 410, rps: 411}"),
            Some(12),
            "the key `rps` stands twice",
        ),
        (
            edited("name: boutique", "---\nname: b"),
            Some(4),
            "several YAML documents",
        ),
        (
            edited("name: boutique", "name: [a"),
            Some(4),
            "not valid YAML or JSON",
        ),
        (
            edited("name: boutique", "name: &a [*a]"),
            Some(3),
            "not valid YAML or JSON",
        ),
        (
            edited("name: boutique", "name: *b"),
            Some(3),
            "not valid YAML or JSON",
        ),
        (
            edited("name: boutique", "name: \"\\ud83d\""),
            Some(3),
            "not valid YAML or JSON",
        ),
        (
            EXAMPLE[..EXAMPLE.len() - 20].to_owned(),
            Some(EXAMPLE.lines().count()),
            "not valid YAML or JSON",
        ),
    ] {
        let errors = errors(&source);
        let issue = &errors.issues[0];
        assert_eq!(
            (issue.line, issue.path.as_str()),
            (line, ""),
            "{source}\n{errors}"
        );
        assert!(issue.message.contains(message), "{errors}");
    }
}

#[test]
fn what_is_not_utf8_is_refused() {
    let errors = read(b"schema: \xff\xfe", "f").unwrap_err();
    assert_eq!(
        errors.to_string(),
        "f: the file is not UTF-8 text: byte 8 is not valid there"
    );
    assert!(read(&[0xff, 0xfe, b'a', 0], "f").is_err());
}

#[test]
fn a_file_above_the_limit_is_refused_with_both_sizes() {
    let errors = read(&vec![b'#'; MAX_FILE_BYTES + 1], "f").unwrap_err();
    assert_eq!(
        errors.issues[0].message,
        "the file has 67108865 bytes; at most 67108864 (64 MiB) are read"
    );
}

#[test]
fn deep_nesting_is_refused() {
    for depth in [65, 100, 10_000, 1_000_000] {
        let flow = format!("name: {}{}", "[".repeat(depth), "]".repeat(depth));
        let block = format!("name: {}x", "- ".repeat(depth));
        let maps = format!("name: {}", "{a: ".repeat(depth));
        let json = "{\"a\":".repeat(depth);
        for source in [flow, block, maps, json] {
            let errors = errors(&source);
            assert!(errors.issues[0].message.len() < 200, "{errors}");
        }
    }
    let errors = errors(&format!("name: {}{}", "[".repeat(64), "]".repeat(64)));
    assert_eq!(
        errors.to_string(),
        "fleet.yaml:1: nested deeper than 64 levels; a problem needs 8"
    );
    let deepest = self::errors(&format!("name: {}{}", "[".repeat(63), "]".repeat(63)));
    assert!(
        deepest
            .to_string()
            .contains("fleet.yaml:1: name: a list is not a string"),
        "{deepest}"
    );
}

#[test]
fn alias_bombs_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let previous = level - 1;
        bomb += &format!(
            "a{level}: &a{level} [{}]\n",
            vec![format!("*a{previous}"); 10].join(", ")
        );
    }
    let errors = errors(&bomb);
    assert_eq!(errors.issues.len(), 1, "{errors}");
    assert!(
        errors
            .to_string()
            .contains("stand for more than 1000000 values"),
        "{errors}"
    );
}

#[test]
fn more_values_than_fit_are_refused() {
    let source = format!("name: [{}]", "1,".repeat(MAX_FILE_BYTES / 8 + 1));
    assert!(
        errors(&source)
            .to_string()
            .contains("more than 8388608 values")
    );
}

#[test]
fn a_thousand_mistakes_are_enough() {
    let source = edited(
        "anti_affinity: []",
        &format!("anti_affinity: [{}]", "1,".repeat(100_000)),
    );
    let errors = errors(&source);
    assert_eq!(errors.issues.len(), 1001);
    assert!(
        errors.issues[1000]
            .message
            .contains("more mistakes than the 1000"),
        "{}",
        errors.issues[1000].message
    );
}

#[test]
fn a_large_fleet_is_read() {
    let nodes: String = (0..30_000)
        .map(|i| format!("  - {{name: node-{i}, pool: general, offering: e2-standard-4/europe-west1-b/spot, pods: {{shop/cart: 3, shop/redis: 1}}, foreign: {{cpu: 500m, memory: 1Gi}}}}\n"))
        .collect();
    let source = edited("policy:", &format!("{nodes}policy:"));
    assert_eq!(
        read(source.as_bytes(), "f")
            .unwrap()
            .current
            .unwrap()
            .nodes
            .len(),
        30_001
    );
}
