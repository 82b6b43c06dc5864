//! Whatever the bytes, no panic; what is read is valid and survives being written.

use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::problem::{read, resolve, validate};
use proptest::prelude::*;

use crate::example::EXAMPLE;

fn survives(bytes: &[u8]) {
    if let Ok(problem) = read(bytes, "f") {
        assert_eq!(validate(&problem), []);
        let written = serde_json::to_vec(&problem).unwrap();
        assert_eq!(
            read(&written, "f").unwrap_or_else(|errors| panic!("{errors}")),
            problem
        );
        let _ = resolve(problem, Catalogue::built_in(), "f");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edited_files_never_panic(edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, any::<[u8; 2]>()), 1..4)) {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        for (at, length, with) in edits {
            let start = at.index(bytes.len());
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, with);
        }
        survives(&bytes);
    }

    #[test]
    fn files_with_words_swapped_never_panic(from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
        let words: Vec<&str> = EXAMPLE.split_inclusive([' ', '\n', ',', '{', '}']).collect();
        let mut swapped = words.clone();
        swapped.swap(from.index(words.len()), to.index(words.len()));
        survives(swapped.concat().as_bytes());
    }

    #[test]
    fn truncated_files_never_panic(end in 0..EXAMPLE.len()) {
        survives(&EXAMPLE.as_bytes()[..end]);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        survives(&bytes);
    }

    #[test]
    fn random_yaml_never_panics(text in "[\\[\\]{}:,&*!|>?#\"' \n\t\\-a-c0-9.]{0,80}") {
        survives(text.as_bytes());
        survives(format!("{EXAMPLE}{text}").as_bytes());
    }
}
